/**
 * What an officer set at this workstation: theme and language. Nothing else is kept in the browser.
 * @module
 */

const THEMES = ['dark', 'light'];

/** @param {string} name */
function read(name) {
  try {
    return localStorage.getItem(name);
  } catch {
    return null; // storage is switched off: the defaults hold
  }
}

/**
 * @param {string} name
 * @param {string} value
 */
function keep(name, value) {
  try {
    localStorage.setItem(name, value);
  } catch {
    // storage is switched off: the choice holds until the page is left
  }
}

export function theme() {
  const kept = read('theme');
  return kept && THEMES.includes(kept) ? kept : 'dark';
}

export function applyTheme(name = theme()) {
  document.documentElement.dataset.theme = name;
}

export function otherTheme() {
  const next = theme() === 'dark' ? 'light' : 'dark';
  keep('theme', next);
  applyTheme(next);
}

/** @param {string[]} offered */
export function preferredLanguage(offered) {
  const wanted = [read('language') ?? '', ...navigator.languages.map((tag) => tag.split('-')[0]), 'en'];
  return wanted.find((one) => offered.includes(one)) ?? offered[0] ?? 'en';
}

/** Whether letters, digits and signs work as keys: who speaks to the machine or writes with a switch turns them off (WCAG 2.1.4). */
export const usesLetters = () => read('letters') !== 'off';
/** @param {boolean} isOn */
export const keepLetters = (isOn) => keep('letters', isOn ? 'on' : 'off');

/** @param {string} language */
export const keepLanguage = (language) => keep('language', language);
