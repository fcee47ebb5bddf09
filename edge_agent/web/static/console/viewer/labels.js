/**
 * Where the words of boxes stand: inside the picture's frame, and beside each other where boxes crowd.
 * @module
 */

/**
 * @typedef {object} Label
 * @property {[number, number, number, number]} box  x0, y0, x1, y1 on the screen, CSS px
 * @property {number} wide  of the words, CSS px
 * @property {string} words
 * @property {string} colour
 */

/** Height of a line of words, CSS px. */
export const LINE_PX = 18;
const HALO = 'rgba(0, 0, 0, 0.85)';
const FONT = '600 13px system-ui, sans-serif';
const GAP_PX = 2;
const MOST_LINES = 12;

/**
 * Give the left top corner of each label's words; null for a box that is off the frame. The first labels have the best places. Words
 * never leave the frame; only where no place within twelve lines is free do they lie over others.
 * @param {Label[]} labels
 * @param {number} width  of the frame, CSS px
 * @param {number} height
 * @returns {([number, number] | null)[]}
 */
export function placed(labels, width, height) {
  /** @type {[number, number, number][]} left, top and width of what stands already */
  const taken = [];
  const isFree = (/** @type {number} */ x, /** @type {number} */ y, /** @type {number} */ wide) =>
    taken.every(([left, top, other]) => x >= left + other || x + wide <= left || y >= top + LINE_PX || y + LINE_PX <= top);
  return labels.map(({ box: [x0, y0, x1, y1], wide }) => {
    if (x1 < 0 || y1 < 0 || x0 > width || y0 > height) return null;
    const x = Math.max(0, Math.min(x0, width - wide));
    const within = (/** @type {number} */ y) => Math.max(0, Math.min(y, height - LINE_PX));
    const above = y0 - LINE_PX - GAP_PX;
    const wanted = [above, y1 + GAP_PX, y0 + GAP_PX];
    for (let line = 1; line <= MOST_LINES; line += 1) wanted.push(above - line * LINE_PX, y1 + GAP_PX + line * LINE_PX);
    const y = wanted.map(within).find((one) => isFree(x, one, wide)) ?? within(above);
    taken.push([x, y, wide]);
    return [x, y];
  });
}

/** @type {Map<string, number>} */
const widths = new Map();

/**
 * Width of words as `drawLabels` draws them, CSS px.
 * @param {CanvasRenderingContext2D} context
 * @param {string} words
 */
export function widthOf(context, words) {
  const known = widths.get(words);
  if (known !== undefined) return known;
  context.font = FONT;
  const wide = Math.ceil(context.measureText(words).width) + 2 * GAP_PX;
  if (widths.size > 500) widths.clear();
  widths.set(words, wide);
  return wide;
}

/**
 * @param {CanvasRenderingContext2D} context  in CSS px
 * @param {Label[]} labels
 * @param {number} width  of the frame
 * @param {number} height
 */
export function drawLabels(context, labels, width, height) {
  Object.assign(context, { font: FONT, textBaseline: 'middle', textAlign: 'left', lineJoin: 'round', lineWidth: 4, strokeStyle: HALO });
  placed(labels, width, height).forEach((place, at) => {
    if (!place) return;
    const [x, y] = [place[0] + GAP_PX, place[1] + LINE_PX / 2];
    context.strokeText(labels[at].words, x, y);
    context.fillStyle = labels[at].colour;
    context.fillText(labels[at].words, x, y);
  });
}
