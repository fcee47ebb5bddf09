/**
 * The links to the sites, in one line at the head of every page: one site by its name, several as a count with the worst state. A click
 * or Enter opens the list of them all, worst first.
 * @module
 */
import { el, fill } from './dom.js';
import { isolated, t, word } from './texts.js';

/** Worst first. */
const PHASES = ['diverged', 'refused', 'stale', 'connecting', 'catching-up', 'live'];

export class Links {
  /** @param {import('./feed.js').Feed} feed */
  constructor(feed) {
    this.feed = feed;
    this.summary = el('summary');
    this.list = el('ul', { 'aria-label': t('nav.links'), tabindex: '0' }); // a long list scrolls, by the keyboard too
    this.element = /** @type {HTMLDetailsElement} */ (el('details', { class: 'links', hidden: true }, this.summary, this.list));
    this.drawn = '';
    this.element.addEventListener('keydown', (event) => this.escape(event));
    document.addEventListener('pointerdown', ({ target }) => {
      if (target instanceof Node && !this.element.contains(target)) this.element.open = false;
    });
    feed.addEventListener('state', () => this.draw());
    this.draw();
  }

  /** @param {KeyboardEvent} event */
  escape(event) {
    if (event.key !== 'Escape' || !this.element.open) return;
    event.stopPropagation(); // it takes back nothing else
    this.element.open = false;
    this.summary.focus();
  }

  draw() {
    const sites = this.feed.sites.map(({ name, phase }) => ({ name, phase: this.feed.isSilent ? 'stale' : phase }));
    const told = JSON.stringify(sites);
    if (told === this.drawn) return; // what has the focus keeps it, and a screen reader reads again only what changed
    this.drawn = told;
    sites.sort((one, other) => PHASES.indexOf(one.phase) - PHASES.indexOf(other.phase) || byName(one, other));
    this.element.hidden = !sites.length;
    if (!sites.length) return;
    const [{ phase }] = sites;
    this.summary.className = `link ${phase}`;
    this.summary.title = t('nav.links');
    fill(this.summary, el('span', {}, summed(sites, phase)));
    fill(
      this.list,
      sites.map((site) => el('li', { class: `link ${site.phase}` }, el('bdi', {}, site.name), ' ', el('span', {}, word('phases', site.phase)))),
    );
  }
}

/** @param {{name: string}} one @param {{name: string}} other */
const byName = (one, other) => one.name.localeCompare(other.name, undefined, { numeric: true });

/**
 * @param {{name: string, phase: string}[]} sites
 * @param {string} phase  the worst
 */
function summed(sites, phase) {
  const said = word('phases', phase);
  if (sites.length === 1) return `${isolated(sites[0].name)} ${said}`;
  const n = sites.filter((one) => one.phase === phase).length;
  return n === sites.length ? t('links.all', { n, phase: said }) : t('links.some', { n, total: sites.length, phase: said });
}
