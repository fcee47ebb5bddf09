/**
 * One line of the queue. Elements are made once and filled again and again while the list scrolls.
 * @module
 */
import { el, fill, icon } from './dom.js';
import { age, left, moment } from './format.js';
import { numberOf } from './numbers.js';
import { clean, t, word } from './texts.js';

export const ROW_PX = 36;
const CLOCK_SHORT_S = 120;

/** Names of the columns, which are classes and texts as well. */
export const COLUMNS = ['conclusion', 'finding', 'goods', 'number', 'place', 'age', 'clock'];

const SIGNS = { alert: 'alert', unassessable: 'blocked', 'no-alert': 'clear', 'set-aside': 'aside' };

export class RowView {
  constructor() {
    /** @type {Record<string, HTMLElement>} */
    this.cells = Object.fromEntries(COLUMNS.map((name) => [name, el('div', { class: `cell ${name}`, role: 'gridcell' })]));
    this.element = el('div', { class: 'row', role: 'row' }, Object.values(this.cells));
    this.drawn = '';
    /** @type {any} */
    this.row = null;
  }

  /**
   * @param {any} row  QueueRow
   * @param {number} index  from 0
   * @param {boolean} isSelected
   */
  show(row, index, isSelected) {
    this.row = row;
    this.element.style.transform = `translateY(${index * ROW_PX}px)`;
    this.element.setAttribute('aria-rowindex', String(index + 2));
    this.element.setAttribute('aria-selected', String(isSelected));
    this.element.id = isSelected ? 'selected-row' : '';
    this.element.className = `row rank-${row.rank} is-${row.is_blind ? 'blind' : row.conclusion}${isSelected ? ' selected' : ''}`;
    const told = `${row.seq} ${row.revision} ${row.state} ${row.is_blind} ${numberOf(row.number)} ${row.site}/${row.scan_id}/${JSON.stringify(row.standing)}`;
    if (told !== this.drawn) this.draw(row, told);
    this.tick();
  }

  /**
   * @param {any} row
   * @param {string} told
   */
  draw(row, told) {
    this.drawn = told;
    const { conclusion, finding, goods, number, place } = this.cells;
    fill(conclusion, icon(signOf(row)), el('span', {}, conclusionOf(row)), marksOf(row));
    const top = row.top ? [word('labels', row.top[0]), row.top[1]?.toFixed(2)].filter(Boolean).join(' ') : '';
    finding.textContent = row.obstacles ? [top, t('queue.obstacles', { n: row.obstacles })].filter(Boolean).join(' · ') : top;
    goods.dir = 'auto'; // what is too long is cut at its own end, also where the page runs the other way
    goods.textContent = clean(row.goods) || t('queue.undeclared');
    goods.title = clean(row.goods);
    fill(number, el('bdi', {}, numberOf(row.number) ?? row.scan_id.slice(0, 8)));
    number.classList.toggle('dim', !numberOf(row.number));
    fill(place, el('bdi', {}, `${clean(row.site)} · ${clean(row.scanner)}`));
    this.cells.age.title = moment(row.at);
  }

  /** What changes by itself as time passes. */
  tick() {
    const { age: aged, clock } = this.cells;
    setText(aged, age(this.row.at));
    const rest = this.row.state === 'open' ? left(this.row.decide_by) : null;
    setText(clock, rest ? rest.text : '');
    clock.classList.toggle('short', rest !== null && rest.seconds < CLOCK_SHORT_S);
  }
}

/** @param {any} row */
export const signOf = (row) => (row.is_blind ? 'blind' : (SIGNS[/** @type {keyof typeof SIGNS} */ (row.conclusion)] ?? 'advisory'));

/** @param {any} row */
export const conclusionOf = (row) => (row.is_blind ? t('queue.blind') : word('conclusions', row.conclusion ?? ''));

/** @param {any} row */
export function marksOf(row) {
  // what people decided comes first: of a narrow cell the end is cut off
  const marks = [];
  const standing = row.standing;
  if (standing && standing.voice !== 'machine') {
    marks.push(
      el(
        'span',
        { class: `mark voice ${standing.conclusion}` },
        word('conclusions', standing.conclusion),
        standing.is_stale ? ` (${t('mark.stale')})` : '',
      ),
    );
  }
  if (standing?.is_referred) marks.push(el('span', { class: 'mark referred' }, t('mark.referred')));
  if (standing?.is_disputed) marks.push(el('span', { class: 'mark disputed' }, t('mark.disputed')));
  if (row.is_advisory) marks.push(el('span', { class: 'mark advisory' }, t('mark.advisory')));
  if (row.kind !== 'live') marks.push(el('span', { class: 'mark kind' }, word('kinds', row.kind)));
  return marks;
}

/**
 * @param {HTMLElement} element
 * @param {string} text
 */
function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
