/**
 * What was reported as systematically wrong with the machine, and whether the site has it: everything for who oversees, for others what
 * they reported themselves.
 * @module
 */
import { go } from './address.js';
import { get } from './api.js';
import { el, fill, icon } from './dom.js';
import { moment } from './format.js';
import { loaded } from './loaded.js';
import { table } from './mine.js';
import { askNumbers, numberOf } from './numbers.js';
import { told, why } from './problems.js';
import { clean, t, word } from './texts.js';

/**
 * @param {HTMLElement} target
 * @param {import('./shell.js').Context} context
 */
export function faultsPage(target, context) {
  const stop = new AbortController();
  const body = el('div', { class: 'sheet' });
  fill(target, body);
  const seesAll = ['supervisor', 'auditor'].some((role) => context.me.roles.includes(role));
  const draw = () => loaded(body, () => get('/api/faults', stop.signal), drawn, stop.signal);
  const drawn = (/** @type {any} */ { faults, waiting, unknown_sites: unknown }) => [
    el('h1', {}, t('nav.faults')),
    el('p', { class: 'dim' }, t(seesAll ? 'faults.about' : 'faults.own')),
    unknown.length ? el('p', { class: 'note' }, icon('advisory'), t('faults.unknown', { sites: unknown.join(', ') })) : null,
    faults.length + waiting.length
      ? table(
          ['mine.at', 'mine.scan', 'faults.what', 'faults.by', 'mine.state', 'decide.note'],
          [...waiting.map(onTheWay), ...faults.map(atTheSite)],
        )
      : el('p', { class: 'dim' }, t('faults.none')),
  ];
  const atTheSite = (/** @type {any} */ one) => [
    moment(one.at),
    scanLink(one),
    word('faults', one.what),
    one.is_mine ? t('said.me') : `${t('said.officer')} · ${clean(one.workstation)}`,
    word('submissions', 'saved'),
    note(one),
  ];
  const note = (/** @type {any} */ one) => {
    if (!one.note) return '';
    const value = numberOf(one.note);
    return value === undefined ? el('button', { on: { click: () => read(one) } }, t('faults.read')) : el('bdi', {}, clean(value));
  };
  const read = async (/** @type {any} */ one) => {
    await askNumbers([one]).catch((problem) => context.say(t('queue.numbers.failed', { why: why(problem) }), 'problem'));
    draw();
  };
  context.submissions.addEventListener('change', draw, { signal: stop.signal });
  draw();
  return () => stop.abort();
}

/** @param {any} one  SubmissionView */
const onTheWay = (one) => [
  moment(one.entered_at),
  scanLink(one),
  word('faults', one.conclusion),
  t('said.me'),
  el(
    'span',
    { class: 'unsaved-words' },
    icon('unsaved'),
    word('submissions', one.state),
    one.state === 'refused' ? ` · ${told(one.code, one.detail)}` : '',
  ),
  '',
];

/** @param {any} one */
const scanLink = (one) =>
  el('button', { class: 'link', on: { click: () => go('scan', one.site, one.scan_id) } }, `${one.site} · ${one.scan_id.slice(0, 8)}`);
