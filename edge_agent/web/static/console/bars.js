/**
 * Bars across the whole page for what nobody may overlook: colour, a sign and words; never colour alone.
 * @module
 */
import { el, fill, icon } from './dom.js';
import { span } from './format.js';
import { told as refusal } from './problems.js';
import { sentence, t, word } from './texts.js';

/** @typedef {{kind: string, sign: any, title: string, words: string}} Bar */

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
    const bars = [...this.unsaved(), ...(this.feed.isSilent ? [this.silent()] : this.feed.sites.flatMap((site) => ofSite(site)))];
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
 * @param {any} site  SiteView
 * @returns {Bar[]}
 */
function ofSite(site) {
  const name = site.name;
  /** @type {Bar[]} */
  const bars = [];
  if (site.phase !== 'live') bars.push(link(site));
  if (site.health === 'failing' || site.health === 'degraded') {
    const why = site.reasons.map(sentence).join('; ');
    bars.push({ kind: site.health, sign: 'degraded', title: t(`bar.${site.health}`, { site: name }), words: why });
  }
  if (!site.durable && site.phase === 'live')
    bars.push({ kind: 'failing', sign: 'degraded', title: t('bar.not-durable', { site: name }), words: t('bar.not-durable.words') });
  for (const [what, n] of Object.entries({ missed: site.missed, unshown: site.unshown, broken: site.broken }))
    if (n > 0)
      bars.push({ kind: 'degraded', sign: 'degraded', title: t(`bar.${what}`, { site: name }), words: t(`bar.${what}.words`, { n }) });
  if (site.is_commissioned === false)
    bars.push({ kind: 'advisory', sign: 'advisory', title: t('bar.advisory', { site: name }), words: t('bar.advisory.words') });
  return bars;
}

/**
 * What a link that is not live means for the officer. Why it is so, with addresses, stands on the page of the sites for who may mend it.
 * @param {any} site
 * @returns {Bar}
 */
function link(site) {
  const kind = ['connecting', 'catching-up'].includes(site.phase) ? 'catching-up' : 'stale';
  const isEnded = ['refused', 'diverged'].includes(site.phase);
  const told = [
    t(`bar.link.${isEnded ? site.phase : kind}`),
    site.phase === 'catching-up' ? t('bar.behind', { n: site.lag }) : '',
    kind === 'stale' && site.oldest_unacked_s ? t('bar.oldest', { span: span(site.oldest_unacked_s) }) : '',
  ];
  return {
    kind,
    sign: 'stale',
    title: t('bar.link', { site: site.name, phase: word('phases', site.phase) }),
    words: told.filter(Boolean).join(' '),
  };
}
