/**
 * Asking the console's server. See docs/reference/console-api.md for what each operation takes and gives.
 * @module
 */

/** A refusal, or no answer at all (`status` 0). */
export class ApiError extends Error {
  /**
   * @param {number} status
   * @param {string} code
   * @param {string} detail
   * @param {string} [hint]
   */
  constructor(status, code, detail, hint = '') {
    super(detail);
    this.status = status;
    this.code = code;
    this.hint = hint;
  }
}

/** @param {string[]} parts  of a path, each written so that it stays one part */
export const path = (...parts) => parts.map((part) => encodeURIComponent(part)).join('/');

/**
 * @param {string} address
 * @param {AbortSignal} [signal]
 * @returns {Promise<any>}
 */
export async function get(address, signal) {
  return (await asked(address, { signal })).json();
}

/**
 * @param {string} address
 * @param {AbortSignal} [signal]
 * @returns {Promise<ArrayBuffer>}
 */
export async function getBytes(address, signal) {
  return (await asked(address, { signal })).arrayBuffer();
}

/**
 * @param {string} address
 * @param {AbortSignal} [signal]
 * @returns {Promise<Blob>}
 */
export async function getBlob(address, signal) {
  return (await asked(address, { signal })).blob();
}

/**
 * @param {string} address
 * @param {unknown} [body]
 * @returns {Promise<any>}  null where the answer has no body
 */
export async function post(address, body) {
  const headers = { 'Content-Type': 'application/json', 'X-Edge-Agent': '1' };
  const answer = await asked(address, { method: 'POST', headers, body: body === undefined ? undefined : JSON.stringify(body) });
  return answer.status === 204 ? null : answer.json();
}

/**
 * @param {string} address
 * @param {RequestInit} options
 */
async function asked(address, options) {
  let answer;
  try {
    answer = await fetch(address, { credentials: 'same-origin', ...options });
  } catch (problem) {
    if (options.signal?.aborted) throw problem;
    throw new ApiError(0, 'no-answer', 'the console does not answer');
  }
  if (answer.ok) return answer;
  if (answer.status === 401 && !address.endsWith('/login')) location.assign('/login');
  const refusal = await answer.json().catch(() => ({}));
  throw new ApiError(answer.status, refusal.code ?? `http-${answer.status}`, refusal.detail ?? answer.statusText, refusal.hint ?? '');
}
