/**
 * The queue as the server knows it now: read once, then kept by the stream. Says by itself when nothing is heard any more.
 * @module
 */
import { get, sessionEnded } from './api.js';
import { setClock } from './format.js';

/** @typedef {any} Row  QueueRow of console/views.py */

const SILENT_MS = 3000;
const TELL_MS = 200;
const READ_AT_ONCE = 20000;
const OVERLAP = 500;
const UNSEEN_MS = 10000;

/** Rows, sites and the state of the stream; tells listeners after changes. */
export class Feed extends EventTarget {
  constructor() {
    super();
    /** @type {Map<string, Row>} */
    this.rows = new Map();
    /** @type {Row[]} sorted, first is most urgent */
    this.sorted = [];
    /** @type {any[]} */
    this.sites = [];
    this.isSilent = true;
    this.isRead = false;
    /** @type {EventSource | null} */
    this.source = null;
    this.isTold = false;
    this.toldAt = -Infinity;
    this.reading = 0;
    document.addEventListener('visibilitychange', () => this.rest());
  }

  /** A tab that nobody sees holds no stream: a browser has six connections to a server for all its tabs, and each stream is one. */
  rest() {
    clearTimeout(this.resting);
    if (document.hidden) {
      this.resting = setTimeout(() => {
        this.reading += 1;
        this.source?.close();
        this.source = null;
      }, UNSEEN_MS);
    } else if (!this.source) this.open();
  }

  /** Read the queue, then follow it. Called again when the server says that it begins anew. */
  async open() {
    this.source?.close();
    const mine = ++this.reading;
    try {
      const { id, rows } = await wholeQueue();
      if (mine !== this.reading) return;
      this.rows = new Map(rows.map((/** @type {Row} */ row) => [keyOf(row), row]));
      this.sorted = [...this.rows.values()].sort(order);
      this.isRead = true;
      this.follow(id);
      this.tell();
    } catch (problem) {
      if (mine === this.reading) setTimeout(() => this.open(), 1000);
    }
  }

  /** @param {string} after */
  follow(after) {
    const source = new EventSource(`/api/stream?after=${encodeURIComponent(after)}`);
    this.source = source;
    source.addEventListener('rows', (event) => this.take(JSON.parse(event.data)));
    source.addEventListener('state', (event) => this.hear(JSON.parse(event.data)));
    source.addEventListener('submission', (event) => this.dispatchEvent(new CustomEvent('submission', { detail: JSON.parse(event.data) })));
    source.addEventListener('open', () => this.dispatchEvent(new Event('open')));
    source.addEventListener('reset', () => this.open());
    source.addEventListener('ended', () => {
      source.close(); // or it would come back by itself and be refused
      sessionEnded().then(() => this.source === source && this.open());
    });
    source.addEventListener('error', () => {
      if (source.readyState === EventSource.CLOSED) setTimeout(() => this.open(), 1000);
    });
  }

  /** @param {{rows: Row[], gone: string[]}} event */
  take({ rows, gone }) {
    for (const row of rows) {
      this.drop(keyOf(row));
      this.rows.set(keyOf(row), row);
      this.sorted.splice(this.place(row), 0, row);
    }
    gone.forEach((key) => this.drop(key));
    this.dispatchEvent(new CustomEvent('rows', { detail: rows.map(keyOf) }));
    this.tell();
  }

  /** @param {{now: string, sites: any[]}} event */
  hear({ now, sites }) {
    this.isSilent = false;
    clearTimeout(this.silence);
    this.silence = setTimeout(() => this.miss(), SILENT_MS);
    this.sites = sites;
    setClock(now);
    this.dispatchEvent(new Event('state'));
  }

  /** Nothing was heard for too long. */
  miss() {
    this.isSilent = true;
    this.dispatchEvent(new Event('state'));
  }

  /** @param {string} key */
  drop(key) {
    const before = this.rows.get(key);
    if (before === undefined) return;
    this.rows.delete(key);
    const at = this.place(before);
    if (this.sorted[at] === before) this.sorted.splice(at, 1);
    else this.sorted = this.sorted.filter((row) => row !== before);
  }

  /**
   * Where a row stands or would stand: a binary search.
   * @param {Row} row
   */
  place(row) {
    let low = 0;
    let high = this.sorted.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (order(this.sorted[middle], row) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** The first change is told at once, those that follow at most five times a second: a list that is painted more often is no clearer. */
  tell() {
    if (this.isTold) return;
    this.isTold = true;
    setTimeout(
      () => {
        this.isTold = false;
        this.toldAt = performance.now();
        this.dispatchEvent(new Event('change'));
      },
      Math.max(0, this.toldAt + TELL_MS - performance.now()),
    );
  }
}

/**
 * Every row, and the place in the stream from which on changes are told. Parts overlap: rows move up while they are read.
 * @returns {Promise<{id: string, rows: Row[]}>}
 */
async function wholeQueue() {
  const { id, rows, total } = await get(`/api/queue?limit=${READ_AT_ONCE}`);
  for (let offset = READ_AT_ONCE - OVERLAP; offset + OVERLAP < total; offset += READ_AT_ONCE - OVERLAP) {
    rows.push(...(await get(`/api/queue?limit=${READ_AT_ONCE}&offset=${offset}`)).rows);
  }
  return { id, rows };
}

/** @param {Row} row */
export const keyOf = (row) => `${row.site}/${row.scan_id}`;

/**
 * Most urgent first, then newest, then by id: the order that the server sorts by.
 * @param {Row} one
 * @param {Row} other
 */
export function order(one, other) {
  if (one.rank !== other.rank) return other.rank - one.rank;
  if (one.at !== other.at) return one.at < other.at ? 1 : -1;
  return one.scan_id < other.scan_id ? -1 : one.scan_id > other.scan_id ? 1 : 0;
}
