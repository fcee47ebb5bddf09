/**
 * The officer's own decisions with what examinations found: the only way to learn from them. Nobody else's are here.
 * @module
 */
import { go } from './address.js';
import { get } from './api.js';
import { el, fill, icon } from './dom.js';
import { moment } from './format.js';
import { loaded } from './loaded.js';
import { told } from './problems.js';
import { t, word } from './texts.js';

/**
 * @param {HTMLElement} target
 * @param {import('./shell.js').Context} context
 */
export function minePage(target, context) {
  const stop = new AbortController();
  const body = el('div', { class: 'sheet' });
  fill(target, body);
  const draw = () => loaded(body, () => get('/api/mine', stop.signal), drawn, stop.signal);
  context.submissions.addEventListener('change', draw, { signal: stop.signal });
  draw();
  return () => stop.abort();
}

/** @param {any} mine  MineView */
function drawn({ decisions, waiting, unknown_sites: unknown }) {
  return [
    el('h1', {}, t('nav.mine')),
    el('p', { class: 'dim' }, t('mine.about')),
    unknown.length ? el('p', { class: 'note' }, icon('advisory'), t('mine.unknown', { sites: unknown.join(', ') })) : null,
    waiting.length
      ? [
          el('h2', {}, t('mine.waiting')),
          table(
            ['mine.entered', 'mine.scan', 'mine.said', 'mine.state'],
            waiting.map((/** @type {any} */ one) => [
              moment(one.entered_at),
              scanLink(one),
              word(one.kind === 'fault' ? 'faults' : 'conclusions', one.conclusion),
              el(
                'span',
                { class: 'unsaved-words' },
                icon('unsaved'),
                word('submissions', one.state),
                one.code ? ` · ${told(one.code, one.detail)}` : '',
              ),
            ]),
          ),
        ]
      : null,
    el('h2', {}, t('mine.decided')),
    decisions.length
      ? table(
          ['mine.at', 'mine.scan', 'mine.said', 'mine.order', 'mine.machine', 'mine.outcome'],
          decisions.map((/** @type {any} */ one) => [
            moment(one.at),
            scanLink(one),
            [word('conclusions', one.conclusion), one.is_superseded ? ` (${t('mine.superseded')})` : ''],
            word('orders', one.order || 'assisted'),
            one.machine ? word('conclusions', one.machine) : '–',
            outcome(one),
          ]),
        )
      : el('p', { class: 'dim' }, t('mine.none')),
  ];
}

/** @param {any} one */
function outcome({ outcome: came, found }) {
  if (!came) return el('span', { class: 'dim' }, t('mine.pending'));
  const what = found.map((/** @type {any} */ part) => [part.quantity, word('form', part.what)].filter(Boolean).join(' ')).join('; ');
  return [el('strong', { class: `outcome-${came}` }, word('conclusions', came)), what ? ` · ${what}` : ''];
}

/** @param {any} one */
const scanLink = (one) =>
  el('button', { class: 'link', on: { click: () => go('scan', one.site, one.scan_id) } }, `${one.site} · ${one.scan_id.slice(0, 8)}`);

/**
 * @param {string[]} columns  keys of texts
 * @param {any[][]} lines
 */
export function table(columns, lines) {
  return el(
    'div',
    { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': t(columns[0]) },
    el(
      'table',
      {},
      el(
        'thead',
        {},
        el(
          'tr',
          {},
          columns.map((name) => el('th', { scope: 'col' }, t(name))),
        ),
      ),
      el(
        'tbody',
        {},
        lines.map((line) =>
          el(
            'tr',
            {},
            line.map((cell) => el('td', {}, cell)),
          ),
        ),
      ),
    ),
  );
}
