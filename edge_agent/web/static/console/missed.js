/**
 * Small dialogues: what a marked box shows, and the report that the machine is wrong in a systematic way.
 * @module
 */
import { el } from './dom.js';
import { t, word } from './texts.js';

const FAULTS = ['misses', 'false-alarms', 'wrong-place', 'wrong-goods', 'other'];

/**
 * @param {any[]} content
 * @param {string} title
 * @param {string} confirm
 * @returns {Promise<FormData | null>}  null when given up
 */
function ask(content, title, confirm) {
  return new Promise((resolve) => {
    const form = el(
      'form',
      { method: 'dialog' },
      el('h2', { id: 'ask-title' }, title),
      content,
      el(
        'div',
        { class: 'ends' },
        el('button', { class: 'primary', value: 'yes' }, confirm),
        el('button', { value: '', formnovalidate: true }, t('decide.back')),
      ),
    );
    const dialog = el('dialog', { class: 'ask', 'aria-labelledby': 'ask-title' }, form);
    dialog.addEventListener('close', () => {
      dialog.remove();
      resolve(dialog.returnValue === 'yes' ? new FormData(form) : null);
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

/**
 * @param {string[]} labels
 * @returns {Promise<string | null>}
 */
export async function askLabel(labels) {
  const options = labels.map((label) => el('option', { value: label }, word('labels', label)));
  const entered = await ask(
    [el('label', {}, el('span', {}, t('missed.label')), el('select', { name: 'label', autofocus: true }, options))],
    t('missed.title'),
    t('missed.keep'),
  );
  return entered ? String(entered.get('label')) : null;
}

/** @returns {Promise<{what: string, note: string} | null>} */
export async function askFault() {
  const choices = FAULTS.map((what, at) =>
    el(
      'label',
      { class: 'choice' },
      el('input', { type: 'radio', name: 'what', value: what, checked: at === FAULTS.length - 1, autofocus: at === FAULTS.length - 1 }),
      el('span', {}, word('faults', what)),
    ),
  );
  const entered = await ask(
    [
      el('fieldset', {}, el('legend', {}, t('fault.what')), choices),
      el('label', { class: 'note' }, el('span', {}, t('decide.note')), el('textarea', { name: 'note', rows: 3, maxlength: 2000 })),
    ],
    t('fault.title'),
    t('fault.send'),
  );
  return entered ? { what: String(entered.get('what')), note: String(entered.get('note')).trim() } : null;
}
