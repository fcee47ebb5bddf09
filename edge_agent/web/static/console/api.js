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
   * @param {Record<string, string>} [fields]  what is wrong with which answer of a form
   */
  /* eslint-disable-next-line max-params -- what a refusal says */
  constructor(status, code, detail, hint = '', fields = {}) {
    super(detail);
    this.fields = fields;
    this.status = status;
    this.code = code;
    this.hint = hint;
  }
}

/**
 * What is done when the session has ended. It is over once the same officer is logged in again; until the shell says otherwise, nobody
 * has begun anything, and the login's own page will do.
 * @type {() => Promise<void>}
 */
let logInAgain = () => {
  location.assign('/login');
  return new Promise(() => {});
};

/** @param {() => Promise<void>} act */
export const onSessionEnd = (act) => {
  logInAgain = act;
};

/** @type {Record<string, string>} for whom this page was made: the server takes nothing of it as another officer's who logged in meanwhile */
const made = {};

/** @param {string} name */
export const madeFor = (name) => {
  made['X-Edge-Officer'] = encodeURIComponent(name);
};

/** Have the officer log in again; used by the stream too, which is told of the end in its own way. */
export const sessionEnded = () => logInAgain();

/** @param {string[]} parts  of a path, each written so that it stays one part */
export const path = (...parts) => parts.map((part) => encodeURIComponent(part)).join('/');

/**
 * @param {string} address
 * @param {AbortSignal} [signal]
 * @returns {Promise<any>}
 */
export async function get(address, signal) {
  return (await read(address, signal)).json();
}

/**
 * @param {string} address
 * @param {AbortSignal} [signal]
 * @returns {Promise<ArrayBuffer>}
 */
export async function getBytes(address, signal) {
  return (await read(address, signal)).arrayBuffer();
}

/**
 * @param {string} address
 * @param {AbortSignal} [signal]
 * @returns {Promise<Blob>}
 */
export async function getBlob(address, signal) {
  return (await read(address, signal)).blob();
}

/**
 * Nothing is sent a second time by itself: after a new login the officer confirms again what the refusal gave back.
 * @param {string} address
 * @param {unknown} [body]
 * @returns {Promise<any>}  null where the answer has no body
 */
export async function post(address, body) {
  const headers = { 'Content-Type': 'application/json', 'X-Edge-Agent': '1', ...(address === '/login' ? {} : made) };
  const sent = { method: 'POST', headers, body: body === undefined ? undefined : JSON.stringify(body) };
  try {
    const answer = await asked(address, sent);
    return answer.status === 204 ? null : answer.json();
  } catch (problem) {
    if (isSessionOver(problem) && address !== '/login') await logInAgain();
    throw problem;
  }
}

/** Who is logged in now; never asks anybody to log in. */
export const whoNow = async () => (await asked('/me', {})).json();

/**
 * What was only asked for is asked for again once the officer is logged in again.
 * @param {string} address
 * @param {AbortSignal} [signal]
 */
async function read(address, signal) {
  try {
    return await asked(address, { signal });
  } catch (problem) {
    if (!isSessionOver(problem)) throw problem;
    await logInAgain();
    return asked(address, { signal });
  }
}

/** @param {unknown} problem */
const isSessionOver = (problem) => problem instanceof ApiError && problem.code === 'login-required';

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
  const refusal = await answer.json().catch(() => ({}));
  throw new ApiError(answer.status, refusal.code ?? `http-${answer.status}`, refusal.detail ?? answer.statusText, refusal.hint ?? '', refusal.fields ?? {});
}
