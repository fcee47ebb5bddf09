/**
 * Every word on the screen, from one catalogue (`console/texts/LANGUAGE.json`). Codes and parameters become sentences here, by the same
 * rules as in the terminal console.
 * @module
 */

/** @type {any} */
let catalogue = { language: 'en', direction: 'ltr', ui: {}, words: {}, sentences: {}, told: {}, problems: {} };

/** @param {any} read  a language's file */
export function useTexts(read) {
  catalogue = read;
  document.documentElement.lang = read.language;
  document.documentElement.dir = read.direction;
}

export const language = () => catalogue.language;

/**
 * A text of the pages.
 * @param {string} key
 * @param {Record<string, string | number>} [params]
 */
export function t(key, params = {}) {
  const template = catalogue.ui[key] ?? key;
  return template.replace(/\{(\w+)\}/g, (/** @type {string} */ _, /** @type {string} */ name) => isolated(params[name] ?? '?'));
}

/**
 * The word for a code: a conclusion, a label, a choice of the form. An unknown code is shown as it is.
 * @param {string} group
 * @param {string} code
 */
export function word(group, code) {
  return catalogue.words[group]?.[code] ?? clean(code).replaceAll('-', ' ').replaceAll('_', ' ');
}

/**
 * Whether the catalogue has a word for a code.
 * @param {string} group
 * @param {string} code
 */
export const has = (group, code) => catalogue.words[group]?.[code] !== undefined;

const PERCENT = new Set(['share', 'free']);
const SCORES = new Set(['score', 'threshold']);

/** Parameters that are codes with words of their own, by group. @type {Record<string, string>} */
const NAMED = { label: 'labels', view: 'views', families: 'families', basis: 'bases', what: 'faults' };

/**
 * The sentence for a reason or an obstacle.
 * @param {{code: string, params?: Record<string, any>, view?: string | null}} part
 */
export function sentence(part) {
  const params = part.params ?? {};
  const template = told(part.code, params) ?? catalogue.sentences[part.code];
  if (template === undefined) {
    const listed = Object.entries(params)
      .map(([name, value]) => `${name} ${shown(name, value)}`)
      .join(', ');
    return clean(listed ? `${part.code} (${listed})` : part.code);
  }
  const words = template.replace(/\{(\w+)\}/g, (/** @type {string} */ _, /** @type {string} */ name) => {
    if (name in params) return isolated(shown(name, params[name]));
    return name === 'role' || name === 'roles' ? '' : '?';
  });
  const view = part.view && !('view' in params) ? ` (${t('scan.view', { view: word('views', part.view) })})` : '';
  return words + view;
}

/**
 * @param {string} code
 * @param {Record<string, any>} params
 */
function told(code, params) {
  const variant = (catalogue.told[code] ?? []).find((/** @type {any} */ one) =>
    one.params.every((/** @type {string} */ name) => name in params),
  );
  return variant?.text;
}

/**
 * @param {string} name
 * @param {any} value
 */
function shown(name, value) {
  if (typeof value === 'boolean') return t(value ? 'yes' : 'no');
  if (name in NAMED && typeof value === 'string')
    return value
      .split(', ')
      .map((code) => word(NAMED[name], code))
      .join(', ');
  if (name === 'problem' || name === 'cause') return catalogue.problems[value] ?? String(value);
  if (typeof value !== 'number') return String(value);
  if (PERCENT.has(name)) return `${Math.round(value * 100)} %`;
  if (SCORES.has(name)) return value.toFixed(2);
  return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(4)));
}

/**
 * Text without control characters, and without marks that turn the direction of what follows.
 * @param {string} text
 */
export function clean(text) {
  return String(text).replace(/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/g, ' ');
}

/**
 * What an officer writes, without the signs that a site does not take: control signs and marks of direction, which come with pasted text.
 * Line ends stay, and the joiners (U+200C, U+200D) that Indian and Persian words are written with.
 * @param {string} text
 */
export const written = (text) => text.replace(/[^\P{C}\n\t\u200c\u200d]/gu, '');

const RIGHT_TO_LEFT = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]/;

/**
 * A value inside a sentence, kept from mixing with the sentence's direction (Unicode isolates).
 * @param {string | number} value
 */
export function isolated(value) {
  const text = clean(String(value));
  return catalogue.direction === 'rtl' || RIGHT_TO_LEFT.test(text) ? `\u2068${text}\u2069` : text;
}
