/**
 * All keys of the page that is shown, from the table that makes them work.
 * @module
 */
import { el } from './dom.js';
import { allKeys } from './keys.js';
import { keepLetters, usesLetters } from './prefs.js';
import { t } from './texts.js';

export function openHelp() {
  if (document.querySelector('dialog[open]')) return;
  const groups = new Map();
  for (const { group, text, key, shown } of allKeys()) {
    const lines = groups.get(group) ?? new Map();
    groups.set(group, lines.set(text, [...(lines.get(text) ?? []), shown ?? shownKey(key)]));
  }
  const dialog = el(
    'dialog',
    { class: 'help', 'aria-labelledby': 'help-title' },
    el('h2', { id: 'help-title' }, t('help.title')),
    el(
      'div',
      { class: 'columns' },
      [...groups].map(([group, lines]) =>
        el(
          'section',
          {},
          el('h3', {}, t(group)),
          el(
            'dl',
            {},
            [...lines].map(([text, keys]) =>
              el(
                'div',
                {},
                el(
                  'dt',
                  {},
                  keys.map((/** @type {string} */ key) => [el('kbd', {}, key), ' ']),
                ),
                el('dd', {}, t(text)),
              ),
            ),
          ),
        ),
      ),
    ),
    el(
      'label',
      { class: 'inline' },
      el('input', { type: 'checkbox', checked: usesLetters(), on: { change: (event) => keepLetters(event.target.checked) } }),
      ' ',
      t('help.letters'),
    ),
    el('form', { method: 'dialog' }, el('button', { class: 'primary', autofocus: true }, t('close'))),
  );
  dialog.addEventListener('close', () => dialog.remove());
  dialog.addEventListener('keydown', (/** @type {KeyboardEvent} */ event) => event.key === '?' && dialog.close());
  document.body.append(dialog);
  dialog.showModal();
}

/** @param {string} key */
function shownKey(key) {
  return key.length === 1 ? key.toUpperCase() : key;
}
