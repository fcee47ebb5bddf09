/**
 * The queue: only the lines on the screen exist, however many scans wait. Lines do not move under the officer's hand.
 * @module
 */
import { go } from './address.js';
import { el, fill } from './dom.js';
import { keyOf } from './feed.js';
import { filterBar, filtered, isFiltered } from './filters.js';
import { number } from './format.js';
import { setKeys } from './keys.js';
import { askNumbers } from './numbers.js';
import { why } from './problems.js';
import { COLUMNS, ROW_PX, RowView } from './rows.js';
import { t } from './texts.js';

const SPARE_ROWS = 4;
const HEAD_PX = 28;
const HAND_MS = 1500;

/** The scan selected last, kept on the way to its page and back. */
let selected = '';

/**
 * @param {HTMLElement} target
 * @param {import('./shell.js').Context} context
 */
export function queuePage(target, context) {
  const page = new QueuePage(target, context);
  return () => page.end();
}

/**
 * The scan after this one in the order of the queue that waits for an officer.
 * @param {import('./feed.js').Feed} feed
 * @param {string} key  of the scan in hand
 */
export function nextOpen(feed, key) {
  return filtered(feed.sorted).find((row) => keyOf(row) !== key && (row.state === 'open' || row.state === 'referred'));
}

class QueuePage {
  /**
   * @param {HTMLElement} target
   * @param {import('./shell.js').Context} context
   */
  constructor(target, context) {
    this.context = context;
    this.feed = context.feed;
    /** @type {any[]} */
    this.shown = [];
    /** @type {RowView[]} */
    this.views = [];
    this.handAt = -Infinity;
    this.held = 0;
    this.waiting = 0;
    this.count = el('p', { class: 'count', role: 'status' });
    this.filters = filterBar(this.feed, () => this.refilter());
    this.space = el('div', { class: 'space', role: 'rowgroup' });
    this.head = el(
      'div',
      { class: 'row head', role: 'row', 'aria-rowindex': 1 },
      COLUMNS.map((name) => el('div', { class: `cell ${name}`, role: 'columnheader' }, t(`column.${name}`))),
    );
    this.grid = el(
      'div',
      { class: 'grid', role: 'grid', tabindex: 0, 'aria-label': t('nav.queue'), 'aria-colcount': COLUMNS.length },
      el('div', { role: 'rowgroup' }, this.head),
      this.space,
    );
    const numbers = el('button', { on: { click: () => this.askNumbers() }, 'aria-keyshortcuts': 'n' }, t('queue.numbers'));
    fill(
      target,
      el('h1', { class: 'unseen' }, t('nav.queue')),
      el('div', { class: 'tools' }, this.filters.element, numbers, this.count),
      this.grid,
    );
    this.listen();
    setKeys(this.keys());
    this.change();
    this.grid.focus({ preventScroll: true });
  }

  listen() {
    const stop = new AbortController();
    const { signal } = stop;
    this.stop = stop;
    this.feed.addEventListener('change', () => this.change(), { signal });
    this.feed.addEventListener('state', () => this.views.forEach((view) => view.row && view.tick()), { signal });
    this.grid.addEventListener('scroll', () => this.draw(), { signal, passive: true });
    this.grid.addEventListener(
      'pointermove',
      () => {
        this.handAt = performance.now();
      },
      { signal, passive: true },
    );
    this.grid.addEventListener('click', (/** @type {MouseEvent} */ event) => this.click(event), { signal });
    this.resizing = new ResizeObserver(() => this.draw());
    this.resizing.observe(this.grid);
    const held = setInterval(() => this.held && this.change(), 300);
    signal.addEventListener('abort', () => clearInterval(held));
    const sites = new AbortController();
    this.feed.addEventListener(
      'state',
      () => {
        this.filters.draw();
        sites.abort();
      },
      { signal: AbortSignal.any([signal, sites.signal]) },
    );
  }

  keys() {
    const group = 'keys.queue';
    return [
      { key: 'j', text: 'key.down', group, act: () => this.move(1) },
      { key: 'k', text: 'key.up', group, act: () => this.move(-1) },
      { key: 'ArrowDown', text: 'key.down', group, shown: '↓', act: () => this.move(1) },
      { key: 'ArrowUp', text: 'key.up', group, shown: '↑', act: () => this.move(-1) },
      { key: 'PageDown', text: 'key.pagedown', group, act: () => this.move(this.pageRows()) },
      { key: 'PageUp', text: 'key.pageup', group, act: () => this.move(-this.pageRows()) },
      { key: 'Home', text: 'key.first', group, act: () => this.move(-Infinity) },
      { key: 'End', text: 'key.last', group, act: () => this.move(Infinity) },
      { key: 'Enter', text: 'key.open', group, act: () => this.open() },
      { key: 'n', text: 'queue.numbers', group, act: () => void this.askNumbers() },
      { key: '/', text: 'key.filter', group, act: () => this.filters.focus() },
      { key: 'Escape', text: 'key.leave', group, inFields: true, act: () => this.grid.focus() },
    ];
  }

  /** Rows came, changed or went. While a hand is on the list its order waits, at most for as long as the hand moves. */
  change() {
    if (performance.now() - this.handAt < HAND_MS && this.shown.length && this.grid.scrollTop < ROW_PX) {
      this.held = this.feed.sorted.length;
      this.shown = this.shown.map((row) => this.feed.rows.get(keyOf(row)) ?? row);
      this.draw();
      return;
    }
    this.held = 0;
    this.waiting = this.feed.sorted.reduce((sum, row) => sum + (row.state === 'open' ? 1 : 0), 0);
    const anchor = this.anchor();
    this.shown = filtered(this.feed.sorted);
    this.space.style.height = `${this.shown.length * ROW_PX}px`;
    if (anchor) this.keepPlace(anchor);
    this.draw();
  }

  refilter() {
    this.shown = [];
    this.handAt = -Infinity;
    this.grid.scrollTop = 0;
    this.change();
  }

  /** The line that shall stay where it is: the selected one when it is on the screen, else the topmost unless it is the first. */
  anchor() {
    const at = this.placeOf(selected);
    const top = this.grid.scrollTop;
    if (at > 0 && at * ROW_PX >= top && (at + 1) * ROW_PX <= top + this.viewHeight) return { key: selected, offset: at * ROW_PX - top };
    const first = Math.ceil(top / ROW_PX);
    return top >= ROW_PX && this.shown[first] ? { key: keyOf(this.shown[first]), offset: first * ROW_PX - top } : null;
  }

  /**
   * Where a scan stands in the list, or -1. Rows are compared as objects: with ten thousand lines names would be slow.
   * @param {string} key
   */
  placeOf(key) {
    const row = this.feed.rows.get(key);
    const at = row === undefined ? -1 : this.shown.indexOf(row);
    return at >= 0 || row === undefined ? at : this.shown.findIndex((one) => keyOf(one) === key); // it has changed since it was listed
  }

  /** @param {{key: string, offset: number}} anchor */
  keepPlace({ key, offset }) {
    const at = this.placeOf(key);
    const wanted = at * ROW_PX - offset;
    if (at >= 0 && wanted !== this.grid.scrollTop) this.grid.scrollTop = wanted;
  }

  draw() {
    const first = Math.max(0, Math.floor(this.grid.scrollTop / ROW_PX) - SPARE_ROWS);
    const wanted = Math.min(this.shown.length - first, this.pageRows() + 2 * SPARE_ROWS);
    while (this.views.length < wanted) {
      const view = new RowView();
      this.views.push(view);
      this.space.append(view.element);
    }
    this.views.forEach((view, at) => {
      const row = at < wanted ? this.shown[first + at] : undefined;
      view.element.hidden = row === undefined;
      if (row) view.show(row, first + at, keyOf(row) === selected);
    });
    this.grid.setAttribute('aria-rowcount', String(this.shown.length + 1));
    if (this.views.some((view) => !view.element.hidden && view.element.id)) this.grid.setAttribute('aria-activedescendant', 'selected-row');
    else this.grid.removeAttribute('aria-activedescendant');
    const total = this.feed.rows.size;
    const told = isFiltered()
      ? t('queue.filtered', { n: number(this.shown.length), total: number(total) })
      : t('queue.count', { total: number(total), open: number(this.waiting) });
    if (this.count.textContent !== told) this.count.textContent = told;
    this.grid.classList.toggle('empty', this.shown.length === 0);
    this.grid.dataset.empty = this.feed.isRead ? t('queue.empty') : t('queue.reading');
  }

  /** Of the lines, without the head that stays above them. */
  get viewHeight() {
    return this.grid.clientHeight - HEAD_PX;
  }

  pageRows() {
    return Math.max(1, Math.ceil(this.viewHeight / ROW_PX));
  }

  /** @param {number} by  lines */
  move(by) {
    const at = this.placeOf(selected);
    const to = Math.min(this.shown.length - 1, Math.max(0, at < 0 ? 0 : at + by));
    if (!this.shown[to]) return;
    selected = keyOf(this.shown[to]);
    const top = this.grid.scrollTop;
    if (to * ROW_PX < top) this.grid.scrollTop = to * ROW_PX;
    else if ((to + 1) * ROW_PX > top + this.viewHeight) this.grid.scrollTop = (to + 1) * ROW_PX - this.viewHeight;
    this.draw();
  }

  /** @param {MouseEvent} event */
  click(event) {
    const view = this.views.find((one) => one.element.contains(/** @type {Node} */ (event.target)));
    if (!view?.row) return;
    selected = keyOf(view.row);
    this.open();
  }

  open() {
    const row = this.feed.rows.get(selected) ?? this.shown[0];
    if (!row) return;
    selected = keyOf(row);
    go('scan', row.site, row.scan_id);
  }

  async askNumbers() {
    const rows = this.views.filter((view) => !view.element.hidden && view.row).map((view) => view.row);
    try {
      const came = await askNumbers(rows);
      this.context.say(came ? t('queue.numbers.came', { n: came }) : t('queue.numbers.none'), came ? 'ok' : 'problem');
    } catch (problem) {
      this.context.say(t('queue.numbers.failed', { why: why(problem) }), 'problem');
    }
    this.draw();
  }

  end() {
    this.stop?.abort();
    this.resizing?.disconnect();
  }
}
