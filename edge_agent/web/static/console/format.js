/**
 * Times, ages and numbers as shown. Times are the workstation's, in 24 hours; masses are kg.
 * @module
 */
import { language, t } from './texts.js';

/** Latin digits everywhere: they are what stands on containers, and what officers type. */
const locale = () => `${language()}-u-nu-latn`;

let ahead = 0;

/**
 * The server's clock leads: the workstation's may be wrong.
 * @param {string} serverNow  ISO 8601
 */
export function setClock(serverNow) {
  ahead = Date.parse(serverNow) - Date.now();
}

/** Milliseconds since 1970 by the server's clock. */
export const now = () => Date.now() + ahead;

/**
 * Formatters are costly to make: one of each is kept.
 * @type {Map<string, any>}
 */
const formatters = new Map();

/**
 * @template T
 * @param {string} name
 * @param {() => T} make
 * @returns {T}
 */
function kept(name, make) {
  const known = formatters.get(name) ?? make();
  formatters.set(name, known);
  return known;
}

/** @param {string | null | undefined} iso */
export function moment(iso) {
  if (!iso) return '';
  const format = kept('moment', () => new Intl.DateTimeFormat(locale(), { dateStyle: 'medium', timeStyle: 'medium', hourCycle: 'h23' }));
  return format.format(new Date(iso));
}

/** @param {string | null | undefined} iso */
export function day(iso) {
  return iso ? kept('day', () => new Intl.DateTimeFormat(locale(), { dateStyle: 'medium' })).format(new Date(iso)) : '';
}

/** @param {string | null | undefined} iso */
export function clockTime(iso) {
  if (!iso) return '';
  const parts = /** @type {const} */ ({ hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' });
  return kept('clock', () => new Intl.DateTimeFormat(locale(), parts)).format(new Date(iso));
}

/**
 * How long ago, short: 12 s, 5 min, 3 h, 2 d.
 * @param {string} iso
 */
export function age(iso) {
  return span(Math.max(0, now() - Date.parse(iso)) / 1000);
}

/** @param {number} seconds */
export function span(seconds) {
  if (seconds < 90) return t('age.s', { n: Math.floor(seconds) });
  if (seconds < 5400) return t('age.min', { n: Math.floor(seconds / 60) });
  if (seconds < 172800) return t('age.h', { n: Math.floor(seconds / 3600) });
  return t('age.d', { n: Math.floor(seconds / 86400) });
}

/**
 * What is left of the decision clock, as minutes and seconds; null when there is none.
 * @param {string | null} decideBy
 */
export function left(decideBy) {
  if (!decideBy) return null;
  const seconds = Math.ceil((Date.parse(decideBy) - now()) / 1000);
  const rest = Math.max(0, seconds);
  return { seconds, text: `${Math.floor(rest / 60)}:${String(rest % 60).padStart(2, '0')}` };
}

/**
 * @param {number} value
 * @param {number} [digits]
 */
export function number(value, digits = 0) {
  const shown = { maximumFractionDigits: digits, minimumFractionDigits: digits, signDisplay: /** @type {const} */ ('negative') };
  return kept(`number ${digits}`, () => new Intl.NumberFormat(locale(), shown)).format(value);
}

/** @param {number} share */
export const percent = (share) => `${number(100 * share, share > 0 && share < 0.1 ? 1 : 0)} %`;

/** @param {number} kg */
export const mass = (kg) => `${number(kg)} kg`;
