/**
 * What this officer sent and what became of it. Only the site's own word makes it "saved".
 * @module
 */
import { ApiError, get, path, post } from './api.js';

/** @typedef {any} Submission  SubmissionView of console/views.py */

const AGAIN_MS = 2000;
const LATE_MS = 2500;
/** The console answers within 1.5 s, with the site's word or without it; what takes longer is not on its disk as far as anybody knows. */

export class Submissions extends EventTarget {
  /** @param {import('./feed.js').Feed} feed */
  constructor(feed) {
    super();
    /** @type {Map<string, Submission>} */
    this.open = new Map();
    /** @type {Map<string, {address: string, body: any}>} what this page sent and has no answer of the site to, by id */
    this.sent = new Map();
    /** @type {Map<string, Submission>} what the site saved: news of before may come after that of now, on another connection */
    this.saved = new Map();
    feed.addEventListener('submission', (event) => this.take(/** @type {CustomEvent} */ (event).detail));
    feed.addEventListener('open', () => this.readAgain());
    addEventListener('beforeunload', (event) => {
      if (this.ofState('sending', 'unsent').length) event.preventDefault();
    });
  }

  /**
   * What has not come to its end. `sending`: on the way; `unsent`: on this page only, the console does not answer; `waiting`: on the
   * console's disk, and sent by it until the site answers; `refused`.
   * @param {...string} states
   * @returns {Submission[]}
   */
  ofState(...states) {
    return [...this.open.values()].filter((one) => states.includes(one.state));
  }

  /** What the console still holds, of an earlier page too, and what was answered while this page could not hear. */
  async readAgain() {
    const before = this.ofState('waiting').map((one) => one.id);
    let held;
    try {
      ({ waiting: held } = await get('/api/mine'));
    } catch {
      return; // the page of the officer's own decisions shows the reason; what is sent from here on is known
    }
    held.forEach((/** @type {Submission} */ one) => this.take(one));
    const known = new Set(held.map((/** @type {Submission} */ one) => one.id));
    before.filter((id) => !known.has(id) && this.open.get(id)?.state === 'waiting').forEach((id) => this.askAgain(id));
  }

  /** Only the site's word makes it "saved": the same sent once more is answered as the first time. @param {string} id */
  async askAgain(id) {
    const sent = this.sent.get(id);
    if (!sent) return this.forget(id); // an earlier page sent it: the officer's own decisions tell what came of it
    try {
      return this.take(await post(sent.address, sent.body));
    } catch {
      return undefined; // it stays "not yet saved" and is asked for when the stream is opened next
    }
  }

  /** @param {Submission} submission */
  take(submission) {
    const { id, kind, site, scan_id: scanId, state } = submission;
    if (this.saved.has(id)) return;
    if (state === 'saved' || state === 'refused') this.sent.delete(id);
    if (state === 'saved') {
      this.open.delete(id);
      this.saved.set(id, submission);
    } else this.open.set(id, submission);
    if (state === 'sending') {
      const isReplaced = (/** @type {Submission} */ one) => one.kind === kind && one.site === site && one.scan_id === scanId;
      this.ofState('refused')
        .filter(isReplaced)
        .forEach((one) => this.open.delete(one.id)); // entered anew: the old refusal is dealt with
    }
    this.dispatchEvent(new CustomEvent('change', { detail: submission }));
  }

  /** @param {string} id */
  forget(id) {
    this.open.delete(id);
    this.sent.delete(id);
    this.dispatchEvent(new CustomEvent('change', { detail: null }));
  }

  /**
   * Send a decision; while the console itself does not answer, again and again with the same identity, so that it counts once.
   * @param {string} site
   * @param {string} scanId
   * @param {any} entry  VerdictEntry
   * @returns {Promise<Submission>}
   * @throws {ApiError} refused
   */
  async decide(site, scanId, entry) {
    return this.send(entry.verdict_id, 'verdict', site, scanId, entry.conclusion, `/api/scans/${path(site, scanId)}/verdict`, entry);
  }

  /**
   * @param {string} site
   * @param {string} scanId
   * @param {any} entry  ControlEntry
   */
  async examine(site, scanId, entry) {
    return this.send(
      entry.control_id,
      'control',
      site,
      scanId,
      entry.result.conclusion ?? '',
      `/api/scans/${path(site, scanId)}/control`,
      entry,
    );
  }

  /** @param {any} entry  FaultEntry */
  async fault(entry) {
    return this.send(entry.fault_id, 'fault', entry.site, entry.scan_id, entry.what, '/api/faults', entry);
  }

  /* eslint-disable-next-line max-params -- what identifies a submission, as the server gives it back */
  async send(id, kind, site, scanId, conclusion, address, body) {
    const sending = { id, kind, site, scan_id: scanId, conclusion, entered_at: new Date().toISOString(), state: 'sending', detail: '' };
    this.take(sending);
    this.sent.set(id, { address, body });
    const isLate = () => this.open.get(id)?.state === 'sending' && this.take({ ...sending, state: 'unsent' });
    const late = setTimeout(isLate, LATE_MS);
    try {
      for (;;) {
        try {
          const answer = await post(address, body);
          this.take(answer);
          return this.saved.get(id) ?? answer;
        } catch (problem) {
          if (!(problem instanceof ApiError) || !isPassing(problem)) {
            this.forget(id);
            throw problem;
          }
          isLate();
          await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
        }
      }
    } finally {
      clearTimeout(late);
    }
  }
}

/** Whether the same request may be answered otherwise later. @param {ApiError} problem */
const isPassing = (problem) =>
  problem.status === 0 || problem.status === 429 || problem.status === 502 || problem.status === 503 || problem.status === 504;
