/**
 * What this officer sent and what became of it. Only the site's own word makes it "saved".
 * @module
 */
import { ApiError, get, path, post } from './api.js';

/** @typedef {any} Submission  SubmissionView of console/views.py */

const AGAIN_MS = 2000;

export class Submissions extends EventTarget {
  /** @param {import('./feed.js').Feed} feed */
  constructor(feed) {
    super();
    /** @type {Map<string, Submission>} */
    this.open = new Map();
    feed.addEventListener('submission', (event) => this.take(/** @type {CustomEvent} */ (event).detail));
    feed.addEventListener('change', () => this.readOnce(), { once: true });
    addEventListener('beforeunload', (event) => {
      if ([...this.open.values()].some((one) => one.state === 'sending')) event.preventDefault();
    });
  }

  get waiting() {
    return [...this.open.values()].filter((one) => one.state === 'waiting' || one.state === 'sending');
  }

  get refused() {
    return [...this.open.values()].filter((one) => one.state === 'refused');
  }

  /** What the console still holds of an earlier page. */
  async readOnce() {
    try {
      (await get('/api/mine')).waiting.forEach((/** @type {Submission} */ one) => this.take(one));
    } catch {
      // the page of the officer's own decisions shows the reason; what is sent from here on is known
    }
  }

  /** @param {Submission} submission */
  take(submission) {
    if (submission.state === 'saved') this.open.delete(submission.id);
    else this.open.set(submission.id, submission);
    this.dispatchEvent(new CustomEvent('change', { detail: submission }));
  }

  /** @param {string} id */
  forget(id) {
    this.open.delete(id);
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
    for (;;) {
      try {
        const answer = await post(address, body);
        this.take(answer);
        return answer;
      } catch (problem) {
        if (!(problem instanceof ApiError) || !isPassing(problem)) {
          this.forget(id);
          throw problem;
        }
        await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
      }
    }
  }
}

/** Whether the same request may be answered otherwise later. @param {ApiError} problem */
const isPassing = (problem) =>
  problem.status === 0 || problem.status === 429 || problem.status === 502 || problem.status === 503 || problem.status === 504;
