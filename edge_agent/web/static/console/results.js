/**
 * The result of an examination, entered beside the opened container: large fields, one question after the other.
 * @module
 */
import { get, path } from './api.js';
import { go } from './address.js';
import { el, fill, icon } from './dom.js';
import { keyOf } from './feed.js';
import { age } from './format.js';
import { ResultForm } from './form.js';
import { loaded } from './loaded.js';
import { numberOf } from './numbers.js';
import { clean, t, word } from './texts.js';

const MOST_LISTED = 100;

/**
 * @param {HTMLElement} target
 * @param {import('./shell.js').Context} context
 * @param {string} [site]
 * @param {string} [scanId]
 */
export function resultsPage(target, context, site, scanId) {
  const stop = new AbortController();
  const body = el('div', { class: 'sheet' });
  fill(target, body);
  if (site && scanId) {
    loaded(
      body,
      () => Promise.all([get('/api/control-form', stop.signal), get(`/api/scans/${path(site, scanId)}`, stop.signal)]),
      ([asked, scan]) => {
        const form = new ResultForm(context, asked, site, scanId, scan.row.revision);
        context.submissions.addEventListener('change', (event) => form.take(/** @type {CustomEvent} */ (event).detail), {
          signal: stop.signal,
        });
        return form.elements();
      },
      stop.signal,
    );
  } else {
    const draw = () => fill(body, list(context));
    context.feed.addEventListener('change', draw, { signal: stop.signal });
    draw();
  }
  return () => stop.abort();
}

/** Scans whose examination is due: an officer found them suspicious or passed them on; then alerts. @param {import('./shell.js').Context} context */
function list(context) {
  const due = context.feed.sorted
    .filter(
      (row) =>
        row.standing?.conclusion === 'suspicious' ||
        row.standing?.is_referred ||
        row.standing?.conclusion === 'refer' ||
        row.conclusion === 'alert',
    )
    .filter((row) => row.state !== 'examined')
    .slice(0, MOST_LISTED);
  return [
    el('h1', {}, t('nav.results')),
    el('p', { class: 'dim' }, t('results.about')),
    searchField(context),
    el(
      'ul',
      { class: 'tiles' },
      due.map((row) =>
        el(
          'li',
          {},
          el(
            'a',
            { class: 'tile', href: `#/results/${encodeURIComponent(row.site)}/${encodeURIComponent(row.scan_id)}` },
            icon(row.standing?.conclusion === 'suspicious' ? 'alert' : 'referred'),
            el(
              'span',
              {},
              el('strong', {}, el('bdi', {}, numberOf(row.number) ?? row.scan_id.slice(0, 8))),
              el('span', { class: 'dim' }, ` ${row.site} · ${row.scanner} · ${age(row.at)}`),
              el('span', { class: 'goods' }, clean(row.goods)),
            ),
            el('span', { class: 'mark' }, row.standing ? word('conclusions', row.standing.conclusion) : ''),
          ),
        ),
      ),
    ),
    due.length ? null : el('p', { class: 'dim' }, t('results.none')),
  ];
}

/** @param {import('./shell.js').Context} context */
function searchField(context) {
  const input = el('input', { type: 'search', name: 'scan', autocomplete: 'off' });
  const find = (/** @type {Event} */ event) => {
    event.preventDefault();
    const wanted = input.value.trim().toLowerCase();
    const row =
      wanted &&
      context.feed.sorted.find(
        (one) => keyOf(one).toLowerCase() === wanted || one.scan_id.startsWith(wanted) || numberOf(one.number)?.toLowerCase() === wanted,
      );
    if (row) go('results', row.site, row.scan_id);
    else context.say(t('results.unknown'), 'problem');
  };
  return el(
    'form',
    { class: 'find', on: { submit: find } },
    el('label', {}, el('span', {}, t('results.find')), input),
    el('button', { class: 'primary' }, t('results.open')),
  );
}
