/**
 * The session ended while the page was open: the same officer logs in again over the page, and what was begun on it is still there.
 * Nobody else sees it: the page is covered meanwhile, and a login as somebody else begins a new page.
 * @module
 */
import { ApiError, post, whoNow } from './api.js';
import { el, fill } from './dom.js';
import { why } from './problems.js';
import { t } from './texts.js';

const AGAIN_MS = 1000;

export class SessionGate {
  /** @param {{name: string, login: string}} me */
  constructor(me) {
    this.me = me;
    /** @type {Promise<void> | null} */
    this.asking = null;
  }

  /** Done when the officer of this page is logged in. However many ask, one dialogue is shown. @returns {Promise<void>} */
  again() {
    this.asking ??= this.ask().finally(() => {
      this.asking = null;
    });
    return this.asking;
  }

  async ask() {
    if (await this.isBack()) return undefined;
    return new Promise((resolve) => {
      const problem = el('p', { class: 'problem', role: 'alert', hidden: true });
      const form = this.me.login === 'users' ? this.passwordForm(problem) : this.plainForm(problem);
      const dialog = el(
        'dialog',
        { class: 'session', 'aria-labelledby': 'session-title', on: { cancel: (/** @type {Event} */ event) => event.preventDefault() } },
        form,
      );
      form.addEventListener('submit', async (/** @type {Event} */ event) => {
        event.preventDefault();
        problem.hidden = true;
        if (!(await this.tried(form, problem))) return;
        dialog.close();
        dialog.remove();
        resolve(undefined);
      });
      document.body.append(dialog);
      dialog.showModal();
    });
  }

  /**
   * @param {HTMLFormElement} form
   * @param {HTMLElement} problem  shown where it did not work
   * @returns {Promise<boolean>}
   */
  async tried(form, problem) {
    const field = /** @type {HTMLInputElement | null} */ (form.elements.namedItem('password'));
    try {
      if (field) await post('/login', { name: this.me.name, password: field.value });
      if (await this.isBack()) return true;
      fill(problem, t('session.not-yet'));
    } catch (refusal) {
      fill(problem, why(refusal));
    }
    problem.hidden = false;
    if (field) {
      field.value = '';
      field.focus();
    }
    return false;
  }

  /**
   * Whether this page's officer is logged in. For another one the page is begun anew, without anything of this one's.
   * @returns {Promise<boolean>}
   */
  async isBack() {
    for (;;) {
      try {
        const { name } = await whoNow();
        if (name === this.me.name) return true;
        location.reload();
        return new Promise(() => {});
      } catch (problem) {
        if (!(problem instanceof ApiError)) throw problem;
        if (problem.status === 401) return false;
      }
      await new Promise((resolve) => setTimeout(resolve, AGAIN_MS)); // the console itself is away: nothing is known of sessions yet
    }
  }

  /** @param {HTMLElement} problem */
  passwordForm(problem) {
    const other = () => {
      location.assign('/login');
    };
    return el(
      'form',
      {},
      this.heading('session.ended.words'),
      el('p', {}, `${t('login.name')}: `, el('strong', {}, el('bdi', {}, this.me.name))),
      el(
        'label',
        {},
        el('span', {}, t('login.password')),
        el('input', {
          name: 'password',
          type: 'password',
          autocomplete: 'current-password',
          required: true,
          maxlength: 1024,
          autofocus: true,
        }),
      ),
      problem,
      el(
        'div',
        { class: 'ends' },
        el('button', { class: 'primary' }, t('login.enter')),
        el('button', { type: 'button', on: { click: other } }, t('session.other')),
      ),
    );
  }

  /** Who was let in by a proxy logs in there. @param {HTMLElement} problem */
  plainForm(problem) {
    const again = el('button', { class: 'primary' }, t('again'));
    return el('form', {}, this.heading('session.ended.proxy'), problem, el('div', { class: 'ends' }, again));
  }

  /** @param {string} words */
  heading(words) {
    return [el('h2', { id: 'session-title' }, t('session.ended')), el('p', {}, t(words))];
  }
}
