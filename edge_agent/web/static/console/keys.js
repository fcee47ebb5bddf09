/**
 * Keys. A page registers what its keys do; the help lists them from the same table, so that it cannot be wrong.
 * @module
 */

import { usesLetters } from './prefs.js';

/**
 * @typedef {object} Key
 * @property {string} key  as KeyboardEvent.key, letters in lower case
 * @property {string} text  key of the text that says what it does
 * @property {(event: KeyboardEvent) => void | boolean} act  `false`: not now; the next key of that name, or the browser, has it
 * @property {string} group  key of a text
 * @property {string} [shown]  what the help shows instead of `key`
 * @property {boolean} [inFields]  also while a field has the focus
 */

/** @type {Key[]} */
let pageKeys = [];
/** @type {Key[]} */
let everywhere = [];

/** @param {Key[]} keys */
export const setKeys = (keys) => {
  pageKeys = keys;
};
/** @param {Key[]} keys */
export const setKeysEverywhere = (keys) => {
  everywhere = keys;
};
export const allKeys = () => [...pageKeys, ...everywhere];

/** @param {EventTarget | null} target */
function isField(target) {
  return (
    target instanceof HTMLElement &&
    (target.isContentEditable ||
      ['TEXTAREA', 'SELECT'].includes(target.tagName) ||
      (target instanceof HTMLInputElement && !['checkbox', 'radio', 'range', 'button'].includes(target.type)))
  );
}

/** @param {EventTarget | null} target */
const isButton = (target) =>
  target instanceof HTMLElement && target.closest('button, a, summary, [role=button], input[type=checkbox], input[type=radio]') !== null;

document.addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || document.querySelector('dialog[open]')) return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if ((key === 'Enter' || key === ' ') && isButton(event.target)) return; // the button's own
  if (key.length === 1 && !usesLetters()) return;
  if (event.target instanceof HTMLInputElement && event.target.type === 'range' && key.startsWith('Arrow')) return;
  for (const one of allKeys()) {
    if (one.key !== key || (isField(event.target) && !one.inFields)) continue;
    if (one.act(event) === false) continue;
    event.preventDefault();
    return;
  }
});
