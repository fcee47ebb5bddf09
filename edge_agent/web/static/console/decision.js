/**
 * The officer's decision: one key says which, Enter confirms. It is "saved" only when the site says so.
 * @module
 */
import { el, fill, icon, noteField } from './dom.js';
import { left } from './format.js';
import { told, why } from './problems.js';
import { sentence, t, word } from './texts.js';

/** Keys of the words an officer can say. */
export const WORDS = { s: 'suspicious', n: 'not-suspicious', x: 'rescan', f: 'refer' };
const CLOCK_SHORT_S = 120;

export class DecisionPanel {
  /**
   * @param {import('./shell.js').Context} context
   * @param {{next: () => void, drawMissed: () => void, changed: () => void}} acts
   */
  constructor(context, acts) {
    this.context = context;
    this.acts = acts;
    this.element = el('section', { class: 'decision', 'aria-label': t('decide.name') });
    /** @type {any} */
    this.scan = null;
    this.reset();
  }

  reset() {
    this.armed = '';
    /** @type {Set<string>} */
    this.reasons = new Set();
    this.note = '';
    /** @type {Map<number, boolean>} */
    this.judged = new Map();
    /** @type {import('./desk.js').Missed[]} */
    this.missed = [];
    this.problem = '';
    this.doubt = '';
    this.id = crypto.randomUUID();
    /** @type {'open' | 'sending' | 'unsent' | 'saved' | 'waiting'} as of a submission */
    this.state = 'open';
  }

  /** @param {any} scan  ScanView */
  show(scan) {
    const before = this.scan;
    this.scan = scan;
    if (scan.wants_reason && this.state === 'saved') this.reset(); // decided blind, against an alert: a second word is due
    else if (before) this.follow(before);
    this.draw();
  }

  /**
   * What the officer began is about what was shown then: a word for another picture, or about other findings, must not be sent for this.
   * @param {any} before  ScanView
   */
  follow(before) {
    const isNewer = before.row.revision !== this.scan.row.revision;
    const isOther = isAnother(before, this.scan);
    const isBegun = this.state === 'open' && (this.armed || this.judged.size || this.missed.length);
    if (!(isNewer && this.state === 'saved') && !(isOther && isBegun)) return;
    const { note, missed } = this;
    this.reset();
    this.note = note;
    if (!isNewer) this.missed = missed;
    this.problem = t('decide.changed');
  }

  get mayDecide() {
    return ['analyst', 'supervisor'].some((role) => this.context.me.roles.includes(role));
  }

  /** Whether the machine's alert is contradicted by what is armed, so that a reason is due. */
  get wantsReason() {
    const against = this.armed === 'not-suspicious' && this.scan.machine?.conclusion === 'alert';
    return against || (this.scan.wants_reason && this.armed === 'not-suspicious');
  }

  /** Whether a word is on its way and nobody has it on a disk yet. */
  get isOnTheWay() {
    return this.state === 'sending' || this.state === 'unsent';
  }

  /** Codes of the reasons that fit what is armed, each with its number among all: a reason has one key, whatever is decided. */
  get fitting() {
    const { reasons_for: fitting, verdict_reasons: all } = this.context.me;
    return all
      .map((/** @type {string} */ code, /** @type {number} */ at) => ({ code, number: at + 1 }))
      .filter((/** @type {{code: string}} */ { code }) => fitting[this.armed]?.includes(code));
  }

  /** @param {string} chosen */
  arm(chosen) {
    if (!this.mayDecide || !this.scan || this.isOnTheWay) return;
    if (this.state !== 'open') this.reset();
    if (this.armed !== chosen) this.reasons.clear(); // what speaks for one word does not speak for the other
    this.armed = chosen;
    this.problem = '';
    this.draw();
    const focus = this.element.querySelector(this.wantsReason && !this.reasons.size ? '.why input' : '.confirm');
    /** @type {HTMLElement | null} */ (focus)?.focus({ preventScroll: true });
  }

  disarm() {
    if (!this.armed) return false;
    this.armed = '';
    this.draw();
    return true;
  }

  /**
   * A reason's own key leads on to the confirmation. Who ticks its box stays at the box: the next space or Enter must not confirm.
   * @param {number} number  of the reason, from 1
   * @param {string} [focus]  what has the focus afterwards
   */
  toggleReason(number, focus = '.confirm') {
    const code = this.fitting.find((/** @type {{number: number}} */ one) => one.number === number)?.code;
    if (!this.armed || this.state !== 'open' || !code) return false;
    const isOn = this.reasons.has(code);
    if (this.armed === 'refer') this.reasons.clear(); // one reason at most
    if (isOn) this.reasons.delete(code);
    else this.reasons.add(code);
    this.draw();
    /** @type {HTMLElement | null} */ (this.element.querySelector(focus))?.focus({ preventScroll: true });
    return true;
  }

  /**
   * @param {number} id
   * @param {boolean} agrees
   */
  judge(id, agrees) {
    if (this.judged.get(id) === agrees) this.judged.delete(id);
    else this.judged.set(id, agrees);
    this.acts.changed();
    this.draw();
  }

  /** @param {import('./desk.js').Missed} missed */
  addMissed(missed) {
    this.missed = [...this.missed, missed];
    this.acts.changed();
    this.draw();
  }

  /** Enter: confirm what is armed, or go on to the next scan once it is saved. */
  enter() {
    if (this.state === 'saved' || this.state === 'waiting') return void this.acts.next();
    if (!this.armed || this.isOnTheWay) return false;
    if (this.wantsReason && !this.reasons.size) {
      this.problem = t('decide.reason-due');
      this.draw();
      return undefined;
    }
    this.send();
    return undefined;
  }

  async send() {
    const { scan } = this;
    const { site, scan_id: scanId, revision } = scan.row;
    const entry = {
      verdict_id: this.id,
      revision,
      conclusion: this.armed,
      assessment: scan.machine?.fact_id ?? null,
      reasons: [...this.reasons],
      note: this.note.trim(),
      findings: [...this.judged].map(([id, agrees]) => ({ id, agrees })),
      missed: this.missed.map(({ view, box, label }) => ({ view, box, label })),
    };
    this.state = 'sending';
    this.draw();
    try {
      const answer = await this.context.submissions.decide(site, scanId, entry);
      this.take(answer);
    } catch (problem) {
      this.state = 'open';
      this.id = crypto.randomUUID();
      this.problem = why(problem);
      if (isAnother(scan, this.scan)) this.follow(scan);
      this.draw();
      this.context.say(t('decide.not-saved'), 'problem');
    }
  }

  /** News of something that was sent. @param {any} submission */
  take(submission) {
    if (submission?.id !== this.id || submission.state === 'sending') return;
    if (submission.state === 'refused') {
      this.state = 'open';
      this.problem = told(submission.code, submission.detail, submission.hint);
      this.id = crypto.randomUUID();
    } else {
      const wasSaved = this.state === 'saved';
      this.state = submission.state;
      this.doubt = submission.code ? told(submission.code, submission.detail) : ''; // the site answered, and nobody can read what
      if (submission.state === 'saved' && !wasSaved)
        this.context.say(t('decide.saved', { word: word('conclusions', submission.conclusion), seq: submission.seq ?? '' }));
    }
    this.draw();
  }

  draw() {
    const { scan } = this;
    if (!scan) return;
    if (!this.mayDecide) return fill(this.element, el('p', { class: 'dim' }, t('decide.not-yours')));
    fill(
      this.element,
      this.clock(),
      this.missedList(),
      this.state === 'open' ? [this.words(), this.armed ? this.confirm() : null] : this.outcome(),
      this.problem ? el('p', { class: 'problem', role: 'alert' }, icon('alert'), this.problem) : null,
    );
    return undefined;
  }

  clock() {
    this.clockText = el('span', { class: 'left' });
    this.clockLine = el('p', { class: 'clockline', hidden: true }, icon('clock'), el('span', {}, t('decide.clock')), this.clockText);
    this.tick();
    return [
      this.scan.row.is_blind && !this.scan.row.decide_by ? el('p', { class: 'clockline' }, icon('clock'), t('decide.clock.blind')) : null,
      this.scan.wants_reason && this.state === 'open' ? el('p', { class: 'due' }, icon('alert'), t('decide.reason-blind')) : null,
      this.clockLine,
    ];
  }

  tick() {
    const { row } = this.scan ?? {};
    const rest = row && (row.state === 'open' || this.scan.wants_reason) ? left(row.decide_by) : null;
    if (!this.clockLine || !this.clockText) return;
    this.clockLine.hidden = rest === null;
    if (rest === null) return;
    this.clockText.textContent = rest.seconds > 0 || row.is_blind ? rest.text : t('decide.over');
    this.clockLine.classList.toggle('short', rest.seconds < CLOCK_SHORT_S);
  }

  words() {
    return el(
      'div',
      { class: 'words', role: 'group', 'aria-label': t('decide.name') },
      Object.entries(WORDS).map(([key, name]) =>
        el(
          'button',
          {
            class: `word ${name}`,
            'aria-pressed': String(this.armed === name),
            'aria-keyshortcuts': key,
            on: { click: () => this.arm(name) },
          },
          el('kbd', {}, key.toUpperCase()),
          el('span', {}, word('decisions', name)),
        ),
      ),
    );
  }

  confirm() {
    const reasons = this.fitting.map((/** @type {{code: string, number: number}} */ { code, number }) =>
      el(
        'label',
        {},
        el('input', {
          type: this.armed === 'refer' ? 'radio' : 'checkbox',
          name: 'why',
          value: code,
          checked: this.reasons.has(code),
          on: { change: () => this.toggleReason(number, `.why input[value="${code}"]`) },
        }),
        el('kbd', {}, String(number)),
        el('span', {}, sentence({ code })),
      ),
    );
    const note = noteField({ rows: 2, maxlength: 2000 }, this.note, (value) => {
      this.note = value;
    });
    return el(
      'div',
      { class: 'armed' },
      el(
        'fieldset',
        { class: `why${this.wantsReason ? ' due' : ''}` },
        el('legend', {}, t(this.wantsReason ? 'decide.why-due' : 'decide.why')),
        reasons,
      ),
      el('label', { class: 'note' }, el('span', {}, t('decide.note')), note),
      el(
        'div',
        { class: 'ends' },
        el(
          'button',
          { class: `confirm ${this.armed}`, on: { click: () => this.enter() } },
          t('decide.confirm', { word: word('decisions', this.armed) }),
          el('kbd', {}, 'Enter'),
        ),
        el('button', { on: { click: () => this.disarm() } }, t('decide.back'), el('kbd', {}, 'Esc')),
      ),
    );
  }

  missedList() {
    if (!this.missed.length) return null;
    const drop = (/** @type {number} */ at) => {
      this.missed = this.missed.filter((_, place) => place !== at);
      this.acts.changed();
      this.draw();
    };
    return el(
      'ul',
      { class: 'missed' },
      this.missed.map((one, at) =>
        el(
          'li',
          {},
          t('decide.missed', { label: one.name, view: word('views', one.view) }),
          el('button', { class: 'vote', 'aria-label': t('decide.missed.drop'), on: { click: () => drop(at) } }, '✗'),
        ),
      ),
    );
  }

  outcome() {
    if (this.isOnTheWay)
      return el(
        'p',
        { class: `outcome ${this.state}`, role: 'status' },
        icon('unsaved'),
        el('strong', {}, t(this.state === 'sending' ? 'decide.sending' : 'decide.unsent')),
      );
    const next = el('button', { class: 'primary', on: { click: () => this.acts.next() } }, t('decide.next'), el('kbd', {}, 'Enter'));
    const again = el(
      'button',
      {
        on: {
          click: () => {
            this.reset();
            this.acts.changed();
            this.draw();
          },
        },
      },
      t('decide.again'),
    );
    const isSaved = this.state === 'saved';
    return [
      el(
        'p',
        { class: `outcome ${this.state}`, role: 'status' },
        icon(isSaved ? 'clear' : 'unsaved'),
        el('strong', {}, isSaved ? t('decide.is-saved') : this.doubt || t('decide.is-waiting')),
        el('span', {}, word('conclusions', this.armed)),
      ),
      el('div', { class: 'ends' }, next, again),
    ];
  }
}

/**
 * Whether an officer who looked at the one has not seen the other: another picture, or another word of the machine.
 * @param {any} one  ScanView
 * @param {any} other  ScanView
 */
const isAnother = (one, other) => one.row.revision !== other.row.revision || one.machine?.fact_id !== other.machine?.fact_id;
