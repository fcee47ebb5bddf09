/**
 * The page of a scan: the pictures at the left, the facts and the decision at the right.
 * @module
 */
import { go } from './address.js';
import { ApiError, get, path } from './api.js';
import { DecisionPanel, WORDS } from './decision.js';
import { Desk } from './desk.js';
import { el, fill, icon } from './dom.js';
import { facts, findingName } from './facts.js';
import { setKeys } from './keys.js';
import { askFault, askLabel } from './missed.js';
import { askNumbers } from './numbers.js';
import { choices } from './pictures.js';
import { why } from './problems.js';
import { nextOpen } from './queue.js';
import { sentence, t, word } from './texts.js';
import { pictureKeys, toolbar } from './toolbar.js';

const HEAT = 'heatmap:';
const AWAY = ['no-answer', 'peer-silent'];
/** What passes by itself: the picture is asked for again once the site is heard again. */

/**
 * @param {HTMLElement} target
 * @param {import('./shell.js').Context} context
 * @param {string} site
 * @param {string} scanId
 */
export function scanPage(target, context, site, scanId) {
  const page = new ScanPage(target, context, site, scanId);
  page.begin();
  return () => page.end();
}

class ScanPage {
  /**
   * @param {HTMLElement} target
   * @param {import('./shell.js').Context} context
   * @param {string} site
   * @param {string} scanId
   */
  constructor(target, context, site, scanId) {
    this.context = context;
    this.site = site;
    this.scanId = scanId;
    this.key = `${site}/${scanId}`;
    this.stop = new AbortController();
    this.desk = new Desk(context, site, scanId);
    this.decision = new DecisionPanel(context, {
      next: () => this.next(),
      drawMissed: () => void this.drawMissed(),
      changed: () => this.drawFacts(),
    });
    this.facts = el('div', { class: 'facts' });
    this.title = el('h1', {});
    this.place = el('p', { class: 'place dim' });
    /** @type {any} */
    this.scan = null;
    this.seen = '';
    this.isAway = false;
    const fault = el(
      'button',
      { class: 'quiet', 'aria-keyshortcuts': '!', on: { click: () => void this.report() } },
      t('fault.short'),
      el('kbd', {}, '!'),
    );
    const back = el(
      'button',
      { class: 'quiet', 'aria-keyshortcuts': 'u', on: { click: () => go('queue') } },
      icon('back'),
      t('scan.back'),
      el('kbd', {}, 'U'),
    );
    fill(
      target,
      el('div', { class: 'left' }, toolbar(this.desk, { missed: () => void this.drawMissed() }), this.desk.element),
      el(
        'aside',
        { class: 'right', 'aria-label': t('scan.facts') },
        el('div', { class: 'headline' }, back, this.title, fault),
        this.place,
        this.facts,
        this.decision.element,
      ),
    );
  }

  async begin() {
    const { signal } = this.stop;
    setKeys(this.keys());
    this.context.feed.addEventListener(
      'rows',
      (event) => {
        if (/** @type {CustomEvent} */ (event).detail.includes(this.key)) this.read();
      },
      { signal },
    );
    this.context.feed.addEventListener(
      'state',
      () => {
        this.decision.tick();
        if (this.isAway && this.isSiteLive()) this.openPictures();
      },
      { signal },
    );
    this.context.submissions.addEventListener('change', (event) => this.decision.take(/** @type {CustomEvent} */ (event).detail), {
      signal,
    });
    this.desk.addEventListener('pick', (event) => this.pick(/** @type {CustomEvent} */ (event).detail), { signal });
    await this.read();
  }

  async read() {
    try {
      this.scan = await get(`/api/scans/${path(this.site, this.scanId)}`, this.stop.signal);
    } catch (problem) {
      if (this.stop.signal.aborted) return;
      fill(
        this.facts,
        el(
          'p',
          { class: 'problem', role: 'alert' },
          t('scan.failed', { why: why(problem) }),
          ' ',
          el('button', { on: { click: () => this.read() } }, t('again')),
        ),
      );
      return;
    }
    this.draw();
    await this.openPictures();
  }

  draw() {
    const { row, machine, blobs } = this.scan;
    fill(this.title, el('span', { class: 'id' }, row.scan_id.slice(0, 8)), row.revision > 1 ? ` r${row.revision}` : '');
    fill(this.place, el('bdi', {}, `${row.site} · ${row.scanner}`));
    document.title = `${row.scan_id.slice(0, 8)} · edge-agent`;
    this.decision.show(this.scan);
    this.desk.setHeats(
      new Map(
        blobs
          .filter((/** @type {any} */ blob) => blob.role.startsWith(HEAT))
          .map((/** @type {any} */ blob) => [blob.role.slice(HEAT.length).split(':')[0], blob.sha256])
          .reverse(),
      ),
    );
    if (!machine) this.desk.setMarks([]);
    this.drawFacts();
  }

  drawFacts() {
    const { decision, desk, scan } = this;
    if (!scan) return;
    desk.setMarks(marksOf(scan, decision.judged));
    desk.setMissed(decision.missed);
    const top = this.facts.scrollTop;
    const isOpen = this.facts.querySelector('details')?.open ?? false;
    fill(
      this.facts,
      facts(scan, {
        show: (finding) => desk.show(desk.marks.find((mark) => mark.id === `${finding.id}.0`) ?? desk.marks[0]),
        judge: (id, agrees) => decision.judge(id, agrees),
        judged: (id) => decision.judged.get(id) ?? null,
        askNumbers: () => void this.askNumbers(),
      }),
    );
    const details = this.facts.querySelector('details');
    if (details) details.open = isOpen;
    this.facts.scrollTop = top;
  }

  async openPictures() {
    const { revision } = this.scan.row;
    if (this.scan.set_aside) return this.showNone(); // nothing of it was stored: there is nothing to ask for
    if (this.seen === String(revision)) return;
    this.seen = String(revision);
    this.isAway = false;
    this.desk.say(el('p', { class: 'empty', role: 'status' }, t('scan.loading')));
    try {
      const stored = await get(`/api/scans/${path(this.site, this.scanId)}/r${revision}/planes`, this.stop.signal);
      if (this.seen === String(revision)) this.desk.open(choices(stored.planes), revision);
    } catch (problem) {
      if (this.stop.signal.aborted) return;
      this.seen = '';
      this.isAway = problem instanceof ApiError && AWAY.includes(problem.code);
      const again = el('button', { on: { click: () => this.openPictures() } }, t('again'));
      this.desk.say(el('p', { class: 'empty', role: 'alert' }, t('scan.no-picture', { why: why(problem) }), ' ', again));
    }
  }

  showNone() {
    this.seen = '';
    this.isAway = false;
    this.desk.open([], this.scan.row.revision);
  }

  isSiteLive() {
    const { feed } = this.context;
    return !feed.isSilent && feed.sites.find((site) => site.name === this.site)?.phase === 'live';
  }

  /** @returns {import('./keys.js').Key[]} */
  keys() {
    const group = 'keys.scan';
    const words = Object.entries(WORDS).map(([key, name]) => ({ key, text: `key.${name}`, group, act: () => this.decision.arm(name) }));
    const reasons = Array.from({ length: 9 }, (_, at) => ({
      key: String(at + 1),
      text: 'key.reason',
      group,
      act: () => this.decision.toggleReason(at + 1),
    }));
    return [
      ...words,
      { key: 'Enter', text: 'key.enter', group, act: () => this.decision.enter() },
      { key: 'Escape', text: 'key.escape', group, inFields: true, act: () => this.escape() },
      ...reasons,
      { key: 'm', text: 'tool.missed', group, act: () => void this.drawMissed() },
      { key: 'o', text: 'scan.numbers', group, act: () => void this.askNumbers() },
      { key: '!', text: 'fault.title', group, act: () => void this.report() },
      { key: 'j', text: 'key.next', group, act: () => this.next() },
      { key: 'u', text: 'scan.back', group, act: () => go('queue') },
      ...pictureKeys(this.desk),
    ];
  }

  escape() {
    const field = document.activeElement;
    this.desk.stopDrawing();
    if (field instanceof HTMLTextAreaElement) field.blur();
    else this.decision.disarm();
  }

  next() {
    const row = nextOpen(this.context.feed, this.key);
    if (row) go('scan', row.site, row.scan_id);
    else go('queue');
  }

  /** @param {string | null} id */
  pick(id) {
    const line = id === null ? null : this.facts.querySelector(`[data-finding="${CSS.escape(id.split('.')[0])}"]`);
    this.facts.querySelectorAll('.picked').forEach((one) => one.classList.remove('picked'));
    line?.classList.add('picked');
    line?.scrollIntoView({ block: 'nearest' });
  }

  async drawMissed() {
    if (!this.decision.mayDecide) return;
    this.context.say(t('missed.draw'));
    const drawn = await this.desk.drawMissed();
    if (!drawn || this.stop.signal.aborted) return;
    const label = await askLabel(this.missedLabels());
    if (label) this.decision.addMissed({ ...drawn, label, name: word('labels', label) });
  }

  /** What can be marked as missed: first what the site's own models look for, in their words, then what no model may know. */
  missedLabels() {
    const { feed, me } = this.context;
    return [...new Set([...(feed.sites.find((site) => site.name === this.site)?.labels ?? []), ...me.missed_labels])];
  }

  async askNumbers() {
    try {
      const came = await askNumbers([{ site: this.site, scan_id: this.scanId }]);
      if (!came) this.context.say(t('queue.numbers.none'), 'problem');
    } catch (problem) {
      this.context.say(t('queue.numbers.failed', { why: why(problem) }), 'problem');
    }
    this.drawFacts();
  }

  /** @param {{what: string, note: string}} [begun]  what was entered before and could not be sent */
  async report(begun) {
    if (!this.scan) return;
    const entered = await askFault(begun);
    if (!entered || this.stop.signal.aborted) return;
    try {
      const answer = await this.context.submissions.fault({
        fault_id: crypto.randomUUID(),
        site: this.site,
        scan_id: this.scanId,
        revision: this.scan.row.revision,
        ...entered,
      });
      this.context.say(t(answer.state === 'saved' ? 'fault.saved' : 'fault.held'));
    } catch (problem) {
      this.context.say(`${t('decide.not-saved')} ${why(problem)}`, 'problem');
      this.report(entered);
    }
  }

  end() {
    this.stop.abort();
    this.desk.close();
  }
}

/**
 * The boxes of what was found.
 * @param {any} scan
 * @param {Map<number, boolean>} judged
 * @returns {import('./desk.js').DeskMark[]}
 */
function marksOf({ machine }, judged) {
  if (!machine) return [];
  return machine.findings.flatMap((/** @type {any} */ finding) =>
    finding.boxes.map((/** @type {any} */ box, /** @type {number} */ at) => ({
      id: `${finding.id}.${at}`,
      box,
      view: finding.view,
      alerts: finding.alerts,
      score: finding.score ?? 0,
      agrees: judged.get(finding.id) ?? null,
      name: finding.type === 'detection' ? word('labels', finding.label) : t('finding.unlike.short'),
      reason: reasonOf(finding, machine.reasons),
    })),
  );
}

/**
 * Why a box alerts, in words; else what it is.
 * @param {any} finding
 * @param {any[]} reasons
 */
function reasonOf(finding, reasons) {
  const said = finding.alerts
    ? (reasons.find((reason) => reason.params?.label === finding.label && (!reason.params?.view || reason.params.view === finding.view)) ??
      reasons.find((reason) => reason.code === finding.type))
    : null;
  return said ? sentence(said) : findingName(finding);
}
