/**
 * Something read from the server and shown, or why it cannot be, with a way to ask again.
 * @module
 */
import { el, fill } from './dom.js';
import { why } from './problems.js';
import { t } from './texts.js';

/**
 * @param {HTMLElement} target
 * @param {() => Promise<any>} read
 * @param {(value: any) => any} draw  children to show
 * @param {AbortSignal} signal
 */
export async function loaded(target, read, draw, signal) {
  target.setAttribute('aria-busy', 'true');
  try {
    const value = await read();
    if (!signal.aborted) fill(target, draw(value));
  } catch (problem) {
    if (signal.aborted) return;
    fill(
      target,
      el(
        'p',
        { class: 'problem', role: 'alert' },
        t('page.failed', { why: why(problem) }),
        ' ',
        el('button', { on: { click: () => loaded(target, read, draw, signal) } }, t('again')),
      ),
    );
  }
  target.removeAttribute('aria-busy');
}
