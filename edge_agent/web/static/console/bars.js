/**
 * Bars across the whole page for what nobody may overlook: colour, a sign and words; never colour alone.
 * @module
 */
import { el, fill, icon } from './dom.js';
import { span } from './format.js';
import { told as refusal } from './problems.js';
import { sentence, t, word } from './texts.js';

/** @typedef {{kind: string, sign: any, title: string, words: string}} Bar */
/**
 * A bar about one site, before those that say the same of several sites become one. `text`: key of its title.
 * @typedef {{kind: string, sign: any, text: string, site: string, phase?: string, words: string}} SiteBar
 */

/** Those that hide scans first. */
const KINDS = ['stale', 'failing', 'catching-up', 'degraded', 'advisory'];
const MOST_APART = 3;

export class Bars {
  /**
   * @param {import('./feed.js').Feed} feed
   * @param {import('./submissions.js').Submissions} submissions
   */
  constructor(feed, submissions) {
    this.feed = feed;
    this.submissions = submissions;
    this.element = el('section', { class: 'bars', 'aria-label': t('bars.name'), role: 'region', 'aria-live': 'polite' });
    this.drawn = '';
    feed.addEventListener('state', () => this.draw());
    submissions.addEventListener('change', () => this.draw());
    this.draw();
  }

  draw() {
    const bars = [...this.unsaved(), ...(this.feed.isSilent ? [this.silent()] : ofSites(this.feed.sites))];
    const told = JSON.stringify(bars);
    if (told === this.drawn) return; // a screen reader reads again only what changed
    this.drawn = told;
    fill(
      this.element,
      bars.map((bar) => el('p', { class: `bar ${bar.kind}` }, icon(bar.sign), el('strong', {}, bar.title), el('span', {}, bar.words))),
    );
  }

  /** @returns {Bar} */
  silent() {
    const title = this.feed.isRead ? t('bar.stale') : t('bar.connecting');
    return { kind: 'stale', sign: 'stale', title, words: t(this.feed.isRead ? 'bar.stale.console' : 'bar.connecting.console') };
  }

  /** @returns {Bar[]} */
  unsaved() {
    const told = (/** @type {string} */ kind, /** @type {number} */ n) =>
      n ? [{ kind, sign: 'unsaved', title: t(`bar.${kind}`), words: t(`bar.${kind}.words`, { n }) }] : [];
    const waiting = this.submissions.ofState('waiting');
    const lost = this.submissions.ofState('refused').map((one) => ({
      kind: 'unsaved',
      sign: 'unsaved',
      title: t('bar.refused'),
      words: t('bar.refused.words', { scan: one.scan_id.slice(0, 8), why: refusal(one.code, one.detail) }),
    }));
    return [
      ...told('unsaved', this.submissions.ofState('unsent').length),
      ...told('held', waiting.filter((one) => !one.code).length),
      ...told('doubted', waiting.filter((one) => one.code).length),
      ...lost,
    ];
  }
}

/**
 * Bars about the sites. What would push the page off the screen is said once: the same of several sites, or one kind of trouble at many.
 * @param {any[]} sites  SiteView
 * @returns {Bar[]}
 */
function ofSites(sites) {
  /** @type {Map<string, SiteBar[]>} */
  const alike = new Map();
  for (const bar of sites.flatMap(ofSite)) {
    const key = `${bar.kind} ${bar.text} ${bar.phase ?? ''}`;
    alike.set(key, [...(alike.get(key) ?? []), bar]);
  }
  return [...alike.values()].sort(([one], [other]) => KINDS.indexOf(one.kind) - KINDS.indexOf(other.kind)).flatMap(together);
}

/**
 * @param {SiteBar[]} bars  of one kind and title
 * @returns {Bar[]}
 */
function together(bars) {
  const isSame = bars.every(({ words }) => words === bars[0].words);
  if (!isSame && bars.length <= MOST_APART) return bars.map((bar) => said([bar], bar.words));
  return [said(bars, isSame ? bars[0].words : t('bar.see-sites'))];
}

/**
 * @param {SiteBar[]} bars
 * @param {string} words
 * @returns {Bar}
 */
function said(bars, words) {
  const [{ kind, sign, text, phase = '' }] = bars;
  const named = bars.slice(0, MOST_APART).map(({ site }) => site);
  const more = bars.length > named.length ? ` +${bars.length - named.length}` : '';
  return { kind, sign, title: t(text, { site: named.join(', ') + more, phase }), words };
}

/**
 * @param {any} site  SiteView
 * @returns {SiteBar[]}
 */
function ofSite(site) {
  const name = site.name;
  /** @type {SiteBar[]} */
  const bars = [];
  if (site.phase !== 'live') bars.push(link(site));
  if (site.health === 'failing' || site.health === 'degraded')
    bars.push({ kind: site.health, sign: 'degraded', text: `bar.${site.health}`, site: name, words: site.reasons.map(sentence).join('; ') });
  if (!site.durable && site.phase === 'live')
    bars.push({ kind: 'failing', sign: 'degraded', text: 'bar.not-durable', site: name, words: t('bar.not-durable.words') });
  for (const [what, n] of Object.entries({ missed: site.missed, unshown: site.unshown, broken: site.broken }))
    if (n > 0) bars.push({ kind: 'degraded', sign: 'degraded', text: `bar.${what}`, site: name, words: t(`bar.${what}.words`, { n }) });
  if (site.is_commissioned === false)
    bars.push({ kind: 'advisory', sign: 'advisory', text: 'bar.advisory', site: name, words: t('bar.advisory.words') });
  return bars;
}

/**
 * What a link that is not live means for the officer. Why it is so, with addresses, stands on the page of the sites for who may mend it.
 * @param {any} site
 * @returns {SiteBar}
 */
function link(site) {
  const kind = ['connecting', 'catching-up'].includes(site.phase) ? 'catching-up' : 'stale';
  const isEnded = ['refused', 'diverged'].includes(site.phase);
  const told = [
    t(`bar.link.${isEnded ? site.phase : kind}`),
    site.phase === 'catching-up' ? t('bar.behind', { n: site.lag }) : '',
    kind === 'stale' && site.oldest_unacked_s ? t('bar.oldest', { span: span(site.oldest_unacked_s) }) : '',
  ];
  const words = told.filter(Boolean).join(' ');
  return { kind, sign: 'stale', text: 'bar.link', site: site.name, phase: word('phases', site.phase), words };
}
