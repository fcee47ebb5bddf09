/**
 * Small plots as SVG: an interval on a line from 0 to 1, and a series by day with its band.
 * @module
 */
import { svg } from './dom.js';
import { number, percent } from './format.js';

const WIDE = 120;
const HIGH = 12;

/** @param {{value: number, low: number, high: number}} rate */
export function interval({ value, low, high }) {
  const x = (/** @type {number} */ share) => 2 + share * (WIDE - 4);
  return svg(
    'svg',
    {
      viewBox: `0 0 ${WIDE} ${HIGH}`,
      class: 'interval',
      role: 'img',
      'aria-label': `${percent(value)}, ${percent(low)} – ${percent(high)}`,
    },
    svg('line', { x1: 2, x2: WIDE - 2, y1: 6, y2: 6, class: 'axis' }),
    svg('rect', { x: x(low), width: Math.max(1, x(high) - x(low)), y: 3, height: 6, class: 'band' }),
    svg('circle', { cx: x(value), cy: 6, r: 3.5, class: 'dot' }),
  );
}

const PLOT_WIDE = 640;
const PLOT_HIGH = 160;
const EDGE = { left: 44, right: 8, top: 10, bottom: 22 };

/**
 * Values by day; a gap where there is none.
 * @param {string} title
 * @param {{day: string, value: number | null, low?: number | null, high?: number | null}[]} points
 * @param {boolean} isShare  the axis ends at 100 %
 */
export function series(title, points, isShare) {
  const most = isShare ? 1 : Math.max(1, ...points.map((point) => point.high ?? point.value ?? 0));
  const x = (/** @type {number} */ at) =>
    EDGE.left + (points.length < 2 ? 0.5 : at / (points.length - 1)) * (PLOT_WIDE - EDGE.left - EDGE.right);
  const y = (/** @type {number} */ value) => PLOT_HIGH - EDGE.bottom - (value / most) * (PLOT_HIGH - EDGE.top - EDGE.bottom);
  const shown = (/** @type {number} */ value) => (isShare ? percent(value) : number(value));
  const drawing = svg('svg', { viewBox: `0 0 ${PLOT_WIDE} ${PLOT_HIGH}`, class: 'series', role: 'img', 'aria-label': title });
  for (const share of [0, 0.5, 1]) {
    drawing.append(
      svg('line', { x1: EDGE.left, x2: PLOT_WIDE - EDGE.right, y1: y(share * most), y2: y(share * most), class: 'axis' }),
      svg('text', { x: EDGE.left - 6, y: y(share * most) + 4, 'text-anchor': 'end' }, shown(share * most)),
    );
  }
  points.forEach((point, at) => {
    if (point.value === null) return;
    if (point.low != null && point.high != null)
      drawing.append(svg('line', { x1: x(at), x2: x(at), y1: y(point.low), y2: y(point.high), class: 'band' }));
    const next = points[at + 1];
    if (next && next.value !== null)
      drawing.append(svg('line', { x1: x(at), x2: x(at + 1), y1: y(point.value), y2: y(next.value), class: 'line' }));
    drawing.append(
      svg('circle', { cx: x(at), cy: y(point.value), r: 2.5, class: 'dot' }, svg('title', {}, `${point.day}: ${shown(point.value)}`)),
    );
  });
  const ends = points.length ? [points[0], points[points.length - 1]] : [];
  ends.forEach((point, at) =>
    drawing.append(
      svg('text', { x: at ? PLOT_WIDE - EDGE.right : EDGE.left, y: PLOT_HIGH - 6, 'text-anchor': at ? 'end' : 'start' }, point.day),
    ),
  );
  return drawing;
}
