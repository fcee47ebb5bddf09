/**
 * Small dialogues: what a marked box shows, and the report that the machine is wrong in a systematic way.
 * @module
 */
import { el, noteField } from './dom.js';
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
 * One of several, by the arrow keys; Enter sends.
 * @param {string} legend
 * @param {string} name
 * @param {string[]} codes
 * @param {string} first  chosen to begin with
 * @param {string} group  of their words
 */
function radios(legend, name, codes, first, group) {
  const choice = (/** @type {string} */ code) =>
    el(
      'label',
      { class: 'choice' },
      el('input', { type: 'radio', name, value: code, checked: code === first, autofocus: code === first }),
      el('span', {}, word(group, code)),
    );
  return el('fieldset', {}, el('legend', {}, legend), codes.map(choice));
}

/**
 * @param {string[]} labels
 * @returns {Promise<string | null>}
 */
export async function askLabel(labels) {
  const entered = await ask(radios(t('missed.label'), 'label', labels, labels[0], 'labels'), t('missed.title'), t('missed.keep'));
  return entered ? String(entered.get('label')) : null;
}

/**
 * @param {{what: string, note: string}} [begun]  what stands in the form to begin with
 * @returns {Promise<{what: string, note: string} | null>}
 */
export async function askFault(begun = { what: 'other', note: '' }) {
  const text = noteField({ name: 'note', rows: 3, maxlength: 2000 }, begun.note);
  const note = el('label', { class: 'note' }, el('span', {}, t('decide.note')), text);
  const entered = await ask([radios(t('fault.what'), 'what', FAULTS, begun.what, 'faults'), note], t('fault.title'), t('fault.send'));
  return entered ? { what: String(entered.get('what')), note: String(entered.get('note')).trim() } : null;
}
