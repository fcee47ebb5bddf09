/**
 * Why something was not done, in the officer's language. What the server says of it in English is for those who look after it.
 * @module
 */
import { ApiError } from './api.js';
import { has, word } from './texts.js';

/** @param {unknown} problem */
export function why(problem) {
  if (!(problem instanceof ApiError)) return String(problem);
  return told(problem.code, problem.message, problem.hint);
}

/**
 * @param {string} code
 * @param {string} detail
 * @param {string} [hint]
 */
export function told(code, detail, hint = '') {
  return has('refusals', code) ? word('refusals', code) : [detail, hint].filter(Boolean).join('. ');
}
