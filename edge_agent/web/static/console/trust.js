/**
 * How far alerts can be trusted: of the examined ones, in how many something was found, with n and interval, and by whom judged.
 * @module
 */
import { get } from './api.js';
import { el, fill, icon } from './dom.js';
import { moment, number, percent } from './format.js';
import { loaded } from './loaded.js';
import { table } from './mine.js';
import { interval } from './plot.js';
import { certificateLine } from './sites.js';
import { sentence, t, word } from './texts.js';

/** @param {HTMLElement} target */
export function trustPage(target) {
  const stop = new AbortController();
  const body = el('div', { class: 'sheet' });
  fill(target, body);
  let kind = 'live';
  const draw = () => loaded(body, () => get(`/api/trust?kind=${kind}`, stop.signal), drawn, stop.signal);
  const drawn = (/** @type {any} */ { sites }) => [
    el('h1', {}, t('nav.trust')),
    el('p', { class: 'dim' }, t('trust.about')),
    el(
      'label',
      { class: 'inline' },
      el('span', {}, t('trust.kind')),
      el(
        'select',
        {
          on: {
            change: (/** @type {any} */ event) => {
              kind = event.target.value;
              draw();
            },
          },
        },
        ['live', 'synthetic'].map((one) => el('option', { value: one, selected: one === kind }, word('kinds', one))),
      ),
    ),
    sites.map(ofSite),
  ];
  draw();
  return () => stop.abort();
}

/** @param {any} site  TrustView */
function ofSite(site) {
  const models = site.bundles.map((/** @type {any} */ one) =>
    el(
      'li',
      {},
      `${one.name} ${one.version} · `,
      el('strong', { class: one.state === 'commissioned' ? '' : 'advisory-words' }, word('bundle-states', one.state)),
    ),
  );
  const certificate =
    site.is_commissioned === null
      ? t('trust.certificate.unknown')
      : site.is_commissioned && !site.certificate.length
        ? t('trust.certificate.holds')
        : null;
  const window = site.first
    ? t('trust.window', { n: number(site.scans), from: moment(site.first), to: moment(site.last) })
    : t('trust.none');
  return el(
    'section',
    { class: 'card' },
    el('h2', {}, el('bdi', {}, site.site)),
    el('p', { class: 'dim' }, window),
    site.rows.length
      ? table(['trust.class', 'trust.alerted', 'trust.examined', 'trust.ppv', 'trust.officers', 'trust.pending'], site.rows.map(line))
      : null,
    el('h3', {}, t('trust.models')),
    el('ul', { class: 'plain' }, models.length ? models : el('li', { class: 'dim' }, t('trust.models.unknown'))),
    certificate
      ? el('p', {}, icon('clear'), certificate)
      : site.certificate.map((/** @type {any} */ one) => el('p', { class: 'advisory-words' }, icon('advisory'), sentence(one))),
    site.certificates.map(certificateLine),
    el(
      'p',
      { class: 'dim' },
      t('trust.policy', { digests: site.policies.map((/** @type {string} */ one) => one.slice(0, 12)).join(', ') || '–' }),
    ),
  );
}

/** @param {any} row  TrustRow */
function line(row) {
  const label = row.label === '*' ? el('strong', {}, t('trust.all')) : word('labels', row.label);
  return [
    label,
    number(row.alerted),
    `${number(row.examined.hits)} / ${number(row.examined.n)}`,
    rate(row.examined),
    rate(row.officers),
    [number(row.pending), row.disputed ? ` · ${t('trust.disputed', { n: row.disputed })}` : ''],
  ];
}

/** @param {any} rate  RateView */
function rate(rate) {
  if (rate.is_too_few || rate.value === null) return el('span', { class: 'dim' }, t('trust.few', { n: number(rate.n) }));
  return el(
    'span',
    { class: 'rate' },
    el('strong', {}, percent(rate.value)),
    el('span', { class: 'dim' }, ` ${percent(rate.low)} – ${percent(rate.high)}, n ${number(rate.n)}`),
    interval(rate),
  );
}
