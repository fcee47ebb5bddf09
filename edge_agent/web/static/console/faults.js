/**
 * For supervisors: what officers reported as systematically wrong with the machine.
 * @module
 */
import { go } from './address.js';
import { get } from './api.js';
import { el, fill } from './dom.js';
import { moment } from './format.js';
import { loaded } from './loaded.js';
import { table } from './mine.js';
import { askNumbers, numberOf } from './numbers.js';
import { clean, t, word } from './texts.js';

/**
 * @param {HTMLElement} target
 * @param {import('./shell.js').Context} context
 */
export function faultsPage(target, context) {
  const stop = new AbortController();
  const body = el('div', { class: 'sheet' });
  fill(target, body);
  const draw = () => loaded(body, () => get('/api/faults', stop.signal), drawn, stop.signal);
  const drawn = (/** @type {any} */ { faults }) => [
    el('h1', {}, t('nav.faults')),
    el('p', { class: 'dim' }, t('faults.about')),
    faults.length
      ? table(
          ['mine.at', 'mine.scan', 'faults.what', 'faults.workstation', 'decide.note'],
          faults.map((/** @type {any} */ one) => [
            moment(one.at),
            el(
              'button',
              { class: 'link', on: { click: () => go('scan', one.site, one.scan_id) } },
              `${one.site} · ${one.scan_id.slice(0, 8)}`,
            ),
            word('faults', one.what),
            clean(one.workstation),
            note(one),
          ]),
        )
      : el('p', { class: 'dim' }, t('faults.none')),
  ];
  const note = (/** @type {any} */ one) => {
    if (!one.note) return '';
    const value = numberOf(one.note);
    return value === undefined ? el('button', { on: { click: () => read(one) } }, t('faults.read')) : el('bdi', {}, clean(value));
  };
  const read = async (/** @type {any} */ one) => {
    await askNumbers([one]).catch((problem) => context.say(t('queue.numbers.failed', { why: problem.message }), 'problem'));
    draw();
  };
  draw();
  return () => stop.abort();
}
