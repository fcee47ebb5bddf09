/**
 * What is around every page: navigation, the links to the sites, the bars that cannot be overlooked, and which page is shown.
 * @module
 */
import { go, here } from './address.js';
import { Bars } from './bars.js';
import { post } from './api.js';
import { el, fill, icon } from './dom.js';
import { clockTime, now } from './format.js';
import { openHelp } from './help.js';
import { setKeys, setKeysEverywhere } from './keys.js';
import { Links } from './links.js';
import { keepLanguage, otherTheme } from './prefs.js';
import { Submissions } from './submissions.js';
import { language, t, word } from './texts.js';
import { queuePage } from './queue.js';
import { scanPage } from './scan.js';
import { minePage } from './mine.js';
import { trustPage } from './trust.js';
import { sitesPage } from './sites.js';
import { resultsPage } from './results.js';
import { faultsPage } from './faults.js';

/**
 * What a page is given, and what it gives back: an end that frees what it holds.
 * @typedef {object} Context
 * @property {any} me
 * @property {import('./feed.js').Feed} feed
 * @property {Submissions} submissions
 * @property {(message: string, kind?: 'ok' | 'problem') => void} say  a short message, read aloud as well
 * @typedef {(target: HTMLElement, context: Context, ...rest: string[]) => () => void} Page
 */

/** @type {Record<string, {page: Page, text: string, roles?: string[]}>} */
const PAGES = {
  queue: { page: queuePage, text: 'nav.queue' },
  results: { page: resultsPage, text: 'nav.results', roles: ['examiner', 'supervisor'] },
  mine: { page: minePage, text: 'nav.mine' },
  trust: { page: trustPage, text: 'nav.trust' },
  sites: { page: sitesPage, text: 'nav.sites' },
  faults: { page: faultsPage, text: 'nav.faults', roles: ['analyst', 'supervisor', 'examiner', 'auditor'] },
};

export class Shell {
  /**
   * @param {HTMLElement} root
   * @param {any} me  MeView
   * @param {import('./feed.js').Feed} feed
   */
  constructor(root, me, feed) {
    this.me = me;
    this.feed = feed;
    this.submissions = new Submissions(feed);
    this.clock = el('time', { class: 'clock' });
    this.links = new Links(feed).element;
    this.nav = el('nav', { 'aria-label': t('nav.pages') });
    this.main = el('main', { id: 'page', tabindex: '-1' });
    this.status = el('div', { class: 'said', role: 'status', 'aria-live': 'polite' });
    this.bars = new Bars(feed, this.submissions);
    this.end = () => {};
    fill(
      root,
      el('a', { class: 'skip', href: '#page', on: { click: (event) => this.skip(event) } }, t('nav.skip')),
      this.header(),
      this.bars.element,
      this.main,
      this.status,
    );
  }

  begin() {
    setKeysEverywhere([
      { key: '?', text: 'key.help', group: 'keys.everywhere', act: openHelp },
      { key: 't', text: 'key.theme', group: 'keys.everywhere', act: otherTheme },
      { key: 'q', text: 'key.queue', group: 'keys.everywhere', act: () => go('queue') },
    ]);
    addEventListener('hashchange', () => this.show());
    setInterval(() => this.tick(), 1000);
    this.tick();
    this.show();
  }

  header() {
    const languages = el(
      'select',
      { 'aria-label': t('nav.language'), on: { change: (event) => this.useLanguage(event.target.value) } },
      this.me.languages.map((/** @type {string} */ one) =>
        el('option', { value: one, selected: one === language(), lang: one }, word('languages', one)),
      ),
    );
    return el(
      'header',
      { class: 'top' },
      el('span', { class: 'mark' }, 'edge-agent'),
      this.nav,
      el('span', { class: 'grow' }),
      this.links,
      this.clock,
      languages,
      el('button', { class: 'quiet', title: t('nav.theme'), 'aria-label': t('nav.theme'), on: { click: otherTheme } }, icon('theme')),
      el('button', { class: 'quiet', 'aria-label': t('key.help'), on: { click: openHelp } }, '?'),
      el('span', { class: 'officer' }, icon('person'), el('bdi', {}, this.me.name)),
      this.me.login === 'users' ? el('button', { class: 'quiet', on: { click: () => logOut() } }, t('nav.logout')) : null,
    );
  }

  show() {
    const [name, ...rest] = here();
    const chosen = name === 'scan' ? scanPage : (PAGES[name] ?? PAGES.queue).page;
    this.end();
    setKeys([]);
    fill(this.main);
    this.main.className = name === 'scan' ? 'page scan' : `page ${name || 'queue'}`;
    this.main.tabIndex = chosen === scanPage || chosen === queuePage ? -1 : 0; // a sheet scrolls, by the keyboard too
    this.drawNav(name || 'queue');
    this.end = chosen(
      this.main,
      { me: this.me, feed: this.feed, submissions: this.submissions, say: (text, kind) => this.say(text, kind) },
      ...rest,
    );
  }

  /** @param {string} current */
  drawNav(current) {
    const offered = Object.entries(PAGES).filter(([, { roles }]) => !roles || roles.some((role) => this.me.roles.includes(role)));
    fill(
      this.nav,
      offered.map(([name, { text }]) => el('a', { href: `#/${name}`, 'aria-current': name === current ? 'page' : null }, t(text))),
    );
    const here = PAGES[current];
    document.title = `${here ? t(here.text) : t('nav.scan')} · edge-agent`;
  }

  tick() {
    this.clock.textContent = clockTime(new Date(now()).toISOString());
  }

  /**
   * @param {string} text
   * @param {'ok' | 'problem'} [kind]
   */
  say(text, kind = 'ok') {
    this.status.className = `said ${kind}`;
    fill(this.status, text);
    clearTimeout(this.saying);
    this.saying = setTimeout(() => fill(this.status), kind === 'problem' ? 12000 : 5000);
  }

  /** @param {string} chosen */
  useLanguage(chosen) {
    keepLanguage(chosen);
    location.reload();
  }

  /** @param {Event} event */
  skip(event) {
    event.preventDefault();
    this.main.focus();
  }
}

async function logOut() {
  await post('/logout').catch(() => null);
  location.assign('/login');
}
