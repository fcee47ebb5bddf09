/**
 * The page to log in. Its texts stand in the page in English: the catalogue is given to officers who are logged in only.
 * @module
 */
import { ApiError, post } from './api.js';
import { applyTheme } from './prefs.js';

applyTheme();
const form = /** @type {HTMLFormElement} */ (document.getElementById('login'));
const problem = /** @type {HTMLElement} */ (document.getElementById('problem'));

form.addEventListener('submit', async (event) => {
  event.preventDefault();
  const entered = new FormData(form);
  const button = /** @type {HTMLButtonElement} */ (form.querySelector('button'));
  button.disabled = true;
  problem.hidden = true;
  try {
    await post('/login', { name: entered.get('name'), password: entered.get('password') });
    location.replace('/');
  } catch (refusal) {
    problem.textContent = refusal instanceof ApiError ? [refusal.message, refusal.hint].filter(Boolean).join('. ') : String(refusal);
    problem.hidden = false;
    const password = /** @type {HTMLInputElement} */ (form.elements.namedItem('password'));
    password.value = '';
    password.focus();
  } finally {
    button.disabled = false;
  }
});
