/**
 * The form of an examination's result, drawn from the site's own description of it: a field appears when the answers ask for it.
 * @module
 */
import { go } from './address.js';
import { ApiError } from './api.js';
import { el, fill, icon, noteField } from './dom.js';
import { told, why } from './problems.js';
import { t, word } from './texts.js';

/**
 * A question, as `domain/control_form.py` describes it.
 * @typedef {{name: string, kind: string, required: boolean, choices?: string[], low?: number, high?: number, max_length?: number,
 *   when?: {field: string, values: string[]}}} Field
 */

export class ResultForm {
  /* eslint-disable-next-line max-params -- what it is about */
  constructor(context, form, site, scanId, revision) {
    this.context = context;
    this.form = form;
    this.site = site;
    this.scanId = scanId;
    this.revision = revision;
    this.id = crypto.randomUUID();
    /** @type {Record<string, any>} */
    this.result = { examined_at: localNow() };
    /** @type {Record<string, any>[]} */
    this.found = [];
    this.body = el('div', { class: 'fields' });
    this.problem = el('p', { class: 'problem', role: 'alert', hidden: true });
    this.state = el('p', { class: 'outcome', role: 'status', hidden: true });
  }

  elements() {
    this.leave = el('button', { type: 'button', class: 'large', on: { click: () => go('results') } }, t('decide.back'));
    this.send = el('button', { class: 'primary large', type: 'submit' }, t('results.send'));
    this.draw();
    return [
      el('h1', {}, t('results.title', { scan: this.scanId.slice(0, 8) })),
      el('p', { class: 'dim' }, el('bdi', {}, this.site)),
      el(
        'form',
        {
          class: 'result',
          novalidate: true,
          on: {
            submit: (/** @type {Event} */ event) => {
              event.preventDefault();
              this.submit();
            },
          },
        },
        this.body,
        this.problem,
        this.state,
        el(
          'div',
          { class: 'ends' },
          this.send,
          this.leave,
        ),
      ),
    ];
  }

  draw() {
    const active = /** @type {HTMLElement | null} */ (document.activeElement)?.id;
    if (this.result.conclusion === 'found' && !this.found.length) this.found.push({});
    if (this.result.conclusion !== 'found') this.found = [];
    fill(
      this.body,
      this.fields(this.form.result, this.result, 'result', ''),
      this.found.map((find, at) => this.find(find, at)),
      this.result.conclusion === 'found'
        ? el(
            'button',
            {
              type: 'button',
              on: {
                click: () => {
                  this.found.push({});
                  this.draw();
                },
              },
            },
            t('results.another'),
          )
        : null,
    );
    if (active) document.getElementById(active)?.focus();
  }

  /**
   * @param {Record<string, any>} find
   * @param {number} at
   */
  find(find, at) {
    const drop = () => {
      this.found.splice(at, 1);
      this.draw();
    };
    return el(
      'fieldset',
      { class: 'find' },
      el('legend', {}, t('results.found', { n: at + 1 })),
      this.fields(this.form.find, find, `found-${at}`, `found.${at}.`),
      this.found.length > 1 ? el('button', { type: 'button', on: { click: drop } }, t('results.drop')) : null,
    );
  }

  /**
   * @param {Field[]} fields
   * @param {Record<string, any>} answers
   * @param {string} prefix  of ids
   * @param {string} place  of problems
   */
  fields(fields, answers, prefix, place) {
    const asked = fields.filter((field) => isAsked(field, answers));
    fields.filter((field) => !asked.includes(field)).forEach((field) => delete answers[field.name]);
    return asked.map((field) => {
      const id = `${prefix}-${field.name}`;
      const isGroup = field.kind === 'choices' || (field.kind === 'choice' && (field.choices ?? []).length <= 3);
      const name = [word('form', field.name), field.required ? el('span', { class: 'required', 'aria-hidden': 'true' }, ' *') : null];
      const control = this.control(field, answers, id);
      return el(
        isGroup ? 'fieldset' : 'div',
        { class: 'field', 'data-field': place + field.name },
        isGroup ? el('legend', {}, name) : el('label', { for: id }, el('span', {}, name)),
        control,
      );
    });
  }

  /**
   * @param {Field} field
   * @param {Record<string, any>} answers
   * @param {string} id
   */
  control(field, answers, id) {
    const set = (/** @type {any} */ value, isDeciding = false) => {
      if (value === '' || value === null || Number.isNaN(value)) delete answers[field.name];
      else answers[field.name] = value;
      if (isDeciding) this.draw();
    };
    const value = answers[field.name];
    const choices = field.choices ?? [];
    if (field.kind === 'choice' && choices.length <= 3)
      return choices.map((one) => tick('radio', id, one, value === one, () => set(one, true)));
    if (field.kind === 'choices')
      return choices.map((one) =>
        tick('checkbox', id, one, (value ?? []).includes(one), (isOn) => set(listed(toggled(answers[field.name] ?? [], one, isOn)))),
      );
    if (field.kind === 'choice')
      return el(
        'select',
        { id, required: field.required, on: { change: (/** @type {any} */ event) => set(event.target.value, true) } },
        el('option', { value: '' }, '…'),
        field.name === 'what' ? this.grouped(value) : choices.map((one) => option(one, value)),
      );
    if (field.kind === 'quantity') return quantity(field, id, value, set);
    const input = { id, required: field.required, on: { input: (/** @type {any} */ event) => set(read(field, event.target.value)) } };
    if (field.kind === 'text') {
      const lines = { id, required: field.required, rows: 3, maxlength: field.max_length };
      return noteField(lines, value ?? '', (text) => set(text.trim()));
    }
    if (field.kind === 'moment') return el('input', { ...input, type: 'datetime-local', step: 60, value });
    if (field.kind === 'number' || field.kind === 'count')
      return el('input', {
        ...input,
        type: 'number',
        inputmode: 'decimal',
        min: field.low,
        max: field.high,
        step: field.kind === 'count' ? 1 : 'any',
        value,
      });
    return el('input', {
      ...input,
      type: 'text',
      inputmode: field.kind === 'tariff' ? 'numeric' : 'text',
      autocapitalize: 'none',
      spellcheck: 'false',
      value,
    });
  }

  /** @param {string | undefined} value */
  grouped(value) {
    return Object.entries(this.form.groups).map(([family, codes]) =>
      el(
        'optgroup',
        { label: word('form', family) },
        /** @type {string[]} */ (codes).map((one) => option(one, value)),
      ),
    );
  }

  async submit() {
    this.problem.hidden = true;
    const missing = this.missing();
    this.mark(missing);
    if (missing.length) {
      this.problem.hidden = false;
      fill(this.problem, icon('alert'), t('results.missing', { n: missing.length }));
      this.body.querySelector('.wrong')?.scrollIntoView({ block: 'center' });
      return;
    }
    const { examined_at: at, ...rest } = this.result;
    const result = at ? { ...rest, examined_at: new Date(at).toISOString() } : rest;
    const entry = { control_id: this.id, revision: this.revision, result, found: this.found };
    this.take({ id: this.id, state: 'sending' });
    try {
      this.take(await this.context.submissions.examine(this.site, this.scanId, entry));
    } catch (problem) {
      this.refused(/** @type {ApiError} */ (problem));
    }
  }

  /** What became of the result. @param {any} submission */
  take(submission) {
    if (submission?.id !== this.id) return;
    if (submission.state === 'refused') return void this.refused(new ApiError(422, submission.code, submission.detail, submission.hint));
    const state = /** @type {string} */ (submission.state);
    const words = { saved: 'decide.is-saved', waiting: 'decide.is-waiting', unsent: 'decide.unsent' }[state] ?? 'decide.sending';
    const isDone = state === 'saved' || state === 'waiting';
    this.body.inert = true;
    this.send.disabled = true;
    this.send.hidden = isDone; // what is saved is not saved again; another result is entered from the list
    fill(this.leave, t(isDone ? 'results.next' : 'decide.back'));
    this.leave.classList.toggle('primary', isDone);
    this.state.hidden = false;
    this.state.className = `outcome ${submission.state}`;
    const said = submission.code ? told(submission.code, submission.detail) : t(words);
    fill(this.state, icon(state === 'saved' ? 'clear' : 'unsaved'), el('strong', {}, said));
  }

  /** Places of the questions that want an answer and have none. */
  missing() {
    const of = (/** @type {Field[]} */ fields, /** @type {Record<string, any>} */ answers, /** @type {string} */ place) =>
      fields
        .filter((field) => field.required && isAsked(field, answers) && answers[field.name] === undefined)
        .map((field) => place + field.name);
    return [...of(this.form.result, this.result, ''), ...this.found.flatMap((find, at) => of(this.form.find, find, `found.${at}.`))];
  }

  /** @param {string[]} places */
  mark(places) {
    this.body
      .querySelectorAll('[data-field]')
      .forEach((/** @type {any} */ one) => one.classList.toggle('wrong', places.includes(one.dataset.field)));
  }

  /** @param {ApiError} problem */
  refused(problem) {
    this.state.hidden = true;
    this.body.inert = false;
    this.send.disabled = this.send.hidden = false;
    fill(this.leave, t('decide.back'));
    this.leave.classList.remove('primary');
    this.id = crypto.randomUUID();
    this.problem.hidden = false;
    this.mark(Object.keys(problem.fields));
    fill(this.problem, icon('alert'), `${t('decide.not-saved')} ${why(problem)}`);
    this.problem.scrollIntoView({ block: 'center' });
  }
}

/** @param {string} one @param {string | undefined} value */
const option = (one, value) => el('option', { value: one, selected: one === value }, word('form', one));

/**
 * @param {string} type
 * @param {string} name
 * @param {string} one
 * @param {boolean} isOn
 * @param {(isOn: boolean) => void} set
 */
const tick = (type, name, one, isOn, set) =>
  el(
    'label',
    { class: 'choice' },
    el('input', {
      type,
      name,
      id: `${name}-${one}`,
      value: one,
      checked: isOn,
      on: { change: (/** @type {any} */ event) => set(event.target.checked) },
    }),
    el('span', {}, word('form', one)),
  );

/** @param {string[]} list @param {string} one @param {boolean} isOn */
const toggled = (list, one, isOn) => [...list.filter((other) => other !== one), ...(isOn ? [one] : [])];

/** An empty list is no answer. @param {string[]} list */
const listed = (list) => (list.length ? list : '');

/** @param {Field} field @param {string} text */
const read = (field, text) => (field.kind === 'number' || field.kind === 'count' ? (text === '' ? '' : Number(text)) : text.trim());

/**
 * An amount and its unit, such as "12.5 kg".
 * @param {Field} field
 * @param {string} id
 * @param {string | undefined} value
 * @param {(value: string) => void} set
 */
function quantity(field, id, value, set) {
  const [amount = '', unit = field.choices?.[0] ?? ''] = (value ?? '').split(' ');
  const number = el('input', { id, type: 'number', min: 0, step: 'any', inputmode: 'decimal', value: amount });
  const units = el(
    'select',
    { 'aria-label': t('results.unit') },
    (field.choices ?? []).map((one) => option(one, unit || field.choices?.[0])),
  );
  const changed = () => set(number.value === '' ? '' : `${number.value} ${units.value}`);
  number.addEventListener('input', changed);
  units.addEventListener('change', changed);
  return el('span', { class: 'quantity' }, number, units);
}

/** @param {Field} field @param {Record<string, any>} answers */
const isAsked = (field, answers) => !field.when || field.when.values.includes(answers[field.when.field]);

/** The present minute, as the browser's own field for a date and time wants it. */
function localNow() {
  const now = new Date();
  return new Date(now.getTime() - now.getTimezoneOffset() * 60000).toISOString().slice(0, 16);
}
