/**
 * All sites: how the link, the site and its backlog are, and headquarters' figures where its API is configured.
 * @module
 */
import { get } from './api.js';
import { el, fill, icon } from './dom.js';
import { day, number, percent, span } from './format.js';
import { loaded } from './loaded.js';
import { series } from './plot.js';
import { sentence, t, word } from './texts.js';

/**
 * @param {HTMLElement} target
 * @param {import('./shell.js').Context} context
 */
export function sitesPage(target, context) {
  const stop = new AbortController();
  const now = el('div', { class: 'cards' });
  const figures = el('div', { class: 'figures' });
  fill(target, el('div', { class: 'sheet' }, el('h1', {}, t('nav.sites')), now, figures));
  const maySee = context.me.roles.some((/** @type {string} */ role) => ['supervisor', 'auditor', 'admin'].includes(role));
  const draw = () =>
    fill(
      now,
      context.feed.sites.length
        ? context.feed.sites.map((site) => card(site, context.feed.isSilent, maySee))
        : el('p', { class: 'dim' }, t('sites.none')),
    );
  context.feed.addEventListener('state', draw, { signal: stop.signal });
  draw();
  if (context.me.has_headquarters && maySee) loaded(figures, () => get('/api/headquarters/daily', stop.signal), plots, stop.signal);
  return () => stop.abort();
}

/**
 * @param {any} site  SiteView
 * @param {boolean} isSilent
 * @param {boolean} maySee  addresses and the like
 */
function card(site, isSilent, maySee) {
  const phase = isSilent ? 'stale' : site.phase;
  const pair = (/** @type {string} */ name, /** @type {any} */ value) =>
    value === null || value === '' ? null : el('div', {}, el('dt', {}, t(name)), el('dd', {}, value));
  return el(
    'section',
    { class: `card site ${phase} ${site.health}` },
    el('h2', {}, el('bdi', {}, site.name)),
    el(
      'p',
      { class: `link ${phase}` },
      icon(phase === 'live' ? 'clear' : 'stale'),
      el('strong', {}, word('phases', phase)),
      maySee && site.detail ? ` · ${site.detail}` : '',
    ),
    el(
      'p',
      { class: `health ${site.health}` },
      icon(site.health === 'healthy' ? 'clear' : 'degraded'),
      el('strong', {}, site.health ? word('health', site.health) : t('sites.unknown')),
      site.reasons.length ? ` · ${site.reasons.map(sentence).join('; ')}` : '',
    ),
    el(
      'dl',
      {},
      pair('sites.open', number(site.open)),
      pair('sites.scans', number(site.scans)),
      pair('sites.flight', site.in_flight === null ? null : number(site.in_flight)),
      pair('sites.lag', number(site.lag)),
      pair(
        'sites.backlog',
        site.backlog_unacked === null
          ? null
          : `${number(site.backlog_unacked)}${site.oldest_unacked_s ? ` · ${span(site.oldest_unacked_s)}` : ''}`,
      ),
      pair('sites.disk', site.disk_free === null ? null : percent(site.disk_free)),
      pair('sites.skew', `${number(site.clock_offset_s, 1)} s`),
      pair(
        'sites.models',
        site.bundles.length
          ? site.bundles.map((/** @type {any} */ one) =>
              el('div', {}, el('bdi', {}, `${one.name} ${one.version}`), ` (${word('bundle-states', one.state)})`),
            )
          : null,
      ),
      pair('sites.workstation', site.workstation),
    ),
    site.drift.map((/** @type {string} */ code) => el('p', { class: 'doubt' }, icon('degraded'), word('drift', code))),
    site.certificates.map(certificateLine),
  );
}

/**
 * What commissioning found for one kind of subject: alarms among clean scans, and how sure that is.
 * @param {any} one  CertificatePart
 */
export const certificateLine = (one) =>
  el(
    'p',
    {},
    t(one.is_held_out ? 'certificate.held-out' : 'certificate.own', {
      subject: word('subjects', one.subject),
      alarms: number(one.alarms),
      n: number(one.n),
      low: percent(one.low),
      high: percent(one.high),
      from: day(one.made_at),
      until: day(one.not_after),
    }),
  );

/**
 * Headquarters' daily figures of all its sites together.
 * @param {{days: any[]}} daily
 */
function plots({ days }) {
  if (!days.length) return [el('p', { class: 'dim' }, t('sites.figures.none'))];
  const names = [...new Set(days.map((one) => one.day))].sort();
  const sum = (/** @type {string} */ day, /** @type {(one: any) => number} */ of) =>
    days.filter((one) => one.day === day).reduce((total, one) => total + of(one), 0);
  const points = (/** @type {(one: any) => number} */ of) => names.map((day) => ({ day, value: sum(day, of) }));
  return [
    el('h2', {}, t('sites.figures')),
    figure(
      t('sites.figure.scans'),
      points((one) => one.alert + one.no_alert + one.unassessable + one.set_aside),
      false,
    ),
    figure(
      t('sites.figure.alerted'),
      points((one) => one.alert),
      false,
    ),
    figure(
      t('sites.figure.unassessable'),
      points((one) => one.unassessable),
      false,
    ),
  ];
}

/**
 * @param {string} title
 * @param {any[]} points
 * @param {boolean} isShare
 */
const figure = (title, points, isShare) => el('figure', {}, el('figcaption', {}, title), series(title, points, isShare));
