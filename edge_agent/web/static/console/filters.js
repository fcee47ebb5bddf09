/**
 * What of the queue is shown. The choice holds while the page is open, also on the way to a scan and back.
 * @module
 */
import { el, fill } from './dom.js';
import { numberOf } from './numbers.js';
import { t, word } from './texts.js';

const CONCLUSIONS = ['alert', 'unassessable', 'no-alert', 'set-aside'];
const STATES = ['open', 'referred', 'clear', 'decided', 'examined', 'set-aside'];

/** @type {Record<string, string>} */
const chosen = { site: '', scanner: '', conclusion: '', state: '', words: '' };

/**
 * Those of the rows that the choice lets pass, in their order, as an array of its own.
 * @param {any[]} rows
 */
export function filtered(rows) {
  return isFiltered() ? rows.filter(filter()) : rows.slice();
}

/** @returns {(row: any) => boolean} */
function filter() {
  const { site, scanner, conclusion, state } = chosen;
  const words = chosen.words.trim().toLowerCase();
  return (row) =>
    (!site || row.site === site) &&
    (!scanner || row.scanner === scanner) &&
    (!conclusion || row.conclusion === conclusion) &&
    (!state || row.state === state) &&
    (!words || textOf(row).includes(words));
}

export const isFiltered = () => Object.values(chosen).some(Boolean);

/** @param {any} row */
const textOf = (row) =>
  `${row.goods} ${row.scan_id} ${numberOf(row.number) ?? ''} ${row.top?.[0] ?? ''} ${row.top ? word('labels', row.top[0]) : ''}`.toLowerCase();

/**
 * @param {import('./feed.js').Feed} feed
 * @param {() => void} changed
 */
export function filterBar(feed, changed) {
  const take = (/** @type {string} */ name) => (/** @type {Event} */ event) => {
    chosen[name] = /** @type {HTMLInputElement} */ (event.target).value;
    changed();
  };
  const select = (/** @type {string} */ name, /** @type {string[]} */ values, /** @type {(value: string) => string} */ shown) =>
    el(
      'label',
      {},
      el('span', {}, t(`filter.${name}`)),
      el(
        'select',
        { name, on: { change: take(name) } },
        el('option', { value: '' }, t('filter.all')),
        values.map((value) => el('option', { value, selected: chosen[name] === value }, shown(value))),
      ),
    );
  const words = el(
    'label',
    { class: 'words' },
    el('span', {}, t('filter.words')),
    el('input', { type: 'search', name: 'words', value: chosen.words, on: { input: take('words') }, 'aria-keyshortcuts': '/' }),
  );
  const bar = el('form', { class: 'filters', role: 'search', on: { submit: (/** @type {Event} */ event) => event.preventDefault() } });
  const draw = () =>
    fill(
      bar,
      select(
        'site',
        feed.sites.map((site) => site.name),
        (value) => value,
      ),
      select('scanner', scanners(feed), (value) => value),
      select('conclusion', CONCLUSIONS, (value) => word('conclusions', value)),
      select('state', STATES, (value) => word('states', value)),
      words,
    );
  draw();
  return { element: bar, draw, focus: () => words.querySelector('input').focus() };
}

/** @param {import('./feed.js').Feed} feed */
const scanners = (feed) => [...new Set([...feed.rows.values()].map((row) => row.scanner))].sort();
