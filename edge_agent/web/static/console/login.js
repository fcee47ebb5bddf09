/**
 * The page to log in: in the language chosen at this workstation, else in the browser's. Its English stands in the page itself.
 * @module
 */
import { ApiError, get, post } from './api.js';
import { el, fill } from './dom.js';
import { why } from './problems.js';
import { applyTheme, keepLanguage, preferredLanguage } from './prefs.js';
import { t, useTexts, word } from './texts.js';

applyTheme();
const form = /** @type {HTMLFormElement} */ (document.getElementById('login'));
const problem = /** @type {HTMLElement} */ (document.getElementById('problem'));
const languages = /** @type {HTMLSelectElement} */ (document.getElementById('language'));

/** @param {string} language */
async function show(language) {
  useTexts(await get(`/api/texts/${language}`));
  const named = /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll('[data-text]'));
  for (const one of named) one.textContent = t(/** @type {string} */ (one.dataset.text));
  document.title = `edge-agent · ${t('login.enter')}`;
}

/** @param {string[]} offered */
function offer(offered) {
  const chosen = preferredLanguage(offered);
  fill(
    languages,
    offered.map((one) => el('option', { value: one, selected: one === chosen, lang: one }, word('languages', one))),
  );
  const label = /** @type {HTMLElement} */ (languages.closest('label'));
  label.hidden = false;
}

languages.addEventListener('change', async () => {
  keepLanguage(languages.value);
  problem.hidden = true;
  await show(languages.value);
});

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
    problem.textContent = why(refusal);
    problem.hidden = false;
    const password = /** @type {HTMLInputElement} */ (form.elements.namedItem('password'));
    password.value = '';
    password.focus();
  } finally {
    button.disabled = false;
  }
});

try {
  const offered = (await get('/api/texts')).languages;
  await show(preferredLanguage(offered));
  offer(offered);
} catch (refusal) {
  if (!(refusal instanceof ApiError)) throw refusal; // without the catalogue the page stays as it is: in English
}
