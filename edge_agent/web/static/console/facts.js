/**
 * What is known of a scan, beside its picture, in the order in which an officer asks: what, why, what stands in the way, what was
 * declared, what people said, and at the end how it was taken and judged.
 * @module
 */
import { el, icon } from './dom.js';
import { mass, moment, number, percent } from './format.js';
import { numberOf } from './numbers.js';
import { conclusionOf, marksOf, signOf } from './rows.js';
import { clean, isolated, sentence, t, word } from './texts.js';

/**
 * What the officer can do from the facts.
 * @typedef {object} FactActs
 * @property {(finding: any) => void} show  bring its box to the middle
 * @property {(id: number, agrees: boolean) => void} judge
 * @property {(id: number) => boolean | null} judged
 * @property {() => void} askNumbers
 */

/**
 * @param {any} scan  ScanView
 * @param {FactActs} acts
 * @returns {HTMLElement[]}
 */
export function facts(scan, acts) {
  return [
    head(scan),
    ...machine(scan, acts),
    ...subject(scan, acts),
    ...declared(scan),
    ...thirdParty(scan),
    ...said(scan),
    ...provenance(scan),
  ].filter(Boolean);
}

/**
 * @param {string} title
 * @param {...any} children
 */
const section = (title, ...children) => el('section', {}, el('h2', {}, t(title)), ...children);

/** @param {any} scan */
function head({ row, set_aside: aside }) {
  const kind = row.is_blind ? 'blind' : row.conclusion;
  return el(
    'div',
    { class: `verdict is-${kind}` },
    el('p', { class: 'word' }, icon(signOf(row)), el('strong', {}, conclusionOf(row))),
    el('p', { class: 'marks' }, marksOf(row)),
    row.is_blind ? el('p', {}, t('scan.blind.words')) : null,
    aside ? el('p', {}, sentence(aside)) : null,
    row.is_advisory && !row.is_blind ? el('p', { class: 'advisory-words' }, icon('advisory'), t('bar.advisory.words')) : null,
  );
}

/**
 * @param {any} scan
 * @param {FactActs} acts
 */
function machine({ machine: judged }, acts) {
  if (!judged) return [];
  const why = judged.reasons.map((/** @type {any} */ reason) => el('li', {}, sentence(reason)));
  const more = judged.reasons_left_out ? [el('li', {}, t('scan.more', { n: judged.reasons_left_out }))] : [];
  const obstacles = judged.obstacles.map((/** @type {any} */ one) =>
    el(
      'li',
      { class: one.blocking ? 'blocking' : '' },
      one.blocking ? icon('blocked') : null,
      el('span', {}, one.blocking ? `${t('scan.blocking')}: ` : '', sentence(one)),
    ),
  );
  const ordered = [...judged.findings].sort((one, other) => Number(other.alerts) - Number(one.alerts)); // what alerts is read first
  const findings = ordered.map((/** @type {any} */ finding) => findingLine(finding, acts)).filter(Boolean);
  return [
    why.length ? section('scan.why', el('ul', { class: 'reasons' }, why, more)) : null,
    obstacles.length ? section('scan.obstacles', el('ul', { class: 'obstacles' }, obstacles)) : null,
    findings.length
      ? section(
          'scan.findings',
          el(
            'ul',
            { class: 'findings' },
            findings,
            judged.findings_left_out ? el('li', {}, t('scan.more', { n: judged.findings_left_out })) : null,
          ),
        )
      : section('scan.findings', el('p', { class: 'dim' }, t('scan.findings.none'))),
  ];
}

/**
 * @param {any} finding
 * @param {FactActs} acts
 */
function findingLine(finding, acts) {
  const judged = acts.judged(finding.id);
  const vote = (/** @type {boolean} */ agrees) =>
    el(
      'button',
      {
        class: 'vote',
        'aria-pressed': String(judged === agrees),
        title: t(agrees ? 'scan.agree' : 'scan.disagree'),
        'aria-label': `${t(agrees ? 'scan.agree' : 'scan.disagree')}: ${findingName(finding)}`,
        on: { click: () => acts.judge(finding.id, agrees) },
      },
      agrees ? '✓' : '✗',
    );
  const words = el('span', { class: finding.alerts ? 'alerts' : '' }, findingName(finding));
  const shows = finding.boxes?.length ? el('button', { class: 'link', on: { click: () => acts.show(finding) } }, words) : words;
  return el(
    'li',
    { 'data-finding': finding.id },
    shows,
    el('span', { class: 'dim' }, finding.view ? ` ${word('views', finding.view)}` : ''),
    el('span', { class: 'votes' }, vote(true), vote(false)),
  );
}

/** @param {any} finding */
export function findingName(finding) {
  if (finding.type === 'detection') return `${word('labels', finding.label)} ${finding.score.toFixed(2)}`;
  if (finding.type === 'weight')
    return t('finding.weight', { mass: mass(finding.mass_kg), low: mass(finding.low_kg), high: mass(finding.high_kg) });
  if (finding.type === 'product')
    return t('finding.product', {
      goods: finding.ranked
        .slice(0, 3)
        .map((/** @type {[string, number]} */ [family, share]) => `${word('families', family)} ${percent(share)}`)
        .join(', '),
    });
  const against = finding.against.map((/** @type {string} */ family) => word('families', family)).join(', ');
  return t(finding.declared ? 'finding.unlike' : 'finding.uneven', { score: finding.score.toFixed(2), against });
}

/**
 * @param {any} scan
 * @param {FactActs} acts
 */
function subject({ row, identities, readings }, acts) {
  const lines = identities
    .filter((/** @type {any} */ one) => one.kind !== 'note')
    .map((/** @type {any} */ one) => {
      const reading = readings.find((/** @type {any} */ read) => read.token === one.token);
      const check = reading
        ? el(
            'span',
            { class: `check ${reading.check}` },
            word('checks', reading.check),
            reading.confidence === null ? '' : ` ${percent(reading.confidence)}`,
          )
        : null;
      return pair(word('identities', one.kind), el('bdi', {}, numberOf(one.token) ?? '•••••••'), check);
    });
  const isHidden = identities.some((/** @type {any} */ one) => !numberOf(one.token));
  const ask = isHidden
    ? el('button', { on: { click: acts.askNumbers }, 'aria-keyshortcuts': 'o' }, t('scan.numbers'), el('kbd', {}, 'O'))
    : null;
  return [
    section(
      'scan.subject',
      el(
        'dl',
        {},
        pair(t('scan.kind'), word('subjects', row.subject)),
        lines,
        pair(t('scan.selection'), word('selections', row.selection)),
      ),
      ask,
    ),
  ];
}

/**
 * @param {string} name
 * @param {...any} values
 */
const pair = (name, ...values) => el('div', {}, el('dt', {}, name), el('dd', {}, ...values));

/** @param {any} scan */
function declared({ declared: said, consignment, machine: judged }) {
  if (!said) return [section('scan.declared', el('p', { class: 'dim' }, t('scan.undeclared')))];
  const mapped = judged?.findings.find((/** @type {any} */ finding) => finding.type === 'heterogeneity' && finding.declared)?.against ?? [];
  const goods = said.goods.map((/** @type {any} */ one) =>
    el(
      'li',
      {},
      el('p', { class: 'goods' }, el('span', { class: 'hs' }, clean(one.hs)), ' ', el('bdi', {}, clean(one.description))),
      el('p', { class: 'dim' }, amounts(one)),
    ),
  );
  const link =
    said.link !== null && said.link !== undefined && said.link < 1
      ? el(
          'p',
          { class: 'doubt' },
          icon('alert'),
          t('scan.link', { link: said.link.toFixed(2), basis: word('bases', said.link_basis ?? '') }),
        )
      : null;
  return [
    section(
      'scan.declared',
      el('ul', { class: 'plain' }, goods, said.goods_left_out ? el('li', {}, t('scan.more', { n: said.goods_left_out })) : null),
      link,
      mapped.length
        ? el(
            'p',
            { class: 'dim' },
            t('scan.mapped', { families: mapped.map((/** @type {string} */ family) => word('families', family)).join(', ') }),
          )
        : null,
      consigned(consignment),
    ),
  ];
}

/** @param {any} one  a declared line */
function amounts(one) {
  return [
    one.gross_kg != null && t('goods.gross', { kg: mass(one.gross_kg) }),
    one.net_kg != null && t('goods.net', { kg: mass(one.net_kg) }),
    one.packages != null && t('goods.packages', { n: number(one.packages) }),
    one.volume_m3 != null && `${number(one.volume_m3, 1)} m³`,
  ]
    .filter(Boolean)
    .join(' · ');
}

/** @param {any} consignment */
function consigned(consignment) {
  if (!consignment) return null;
  const way = [consignment.origin, consignment.destination].filter(Boolean).map(clean).join(' → ');
  const flags = (consignment.risk_flags ?? []).map((/** @type {any} */ flag) => clean(flag.code)).join(', ');
  return el(
    'dl',
    {},
    way ? pair(t('scan.way'), el('bdi', {}, way)) : null,
    consignment.vessel ? pair(t('scan.vessel'), el('bdi', {}, clean(`${consignment.vessel} ${consignment.voyage}`))) : null,
    flags ? pair(t('scan.risks'), el('bdi', {}, flags)) : null,
  );
}

/** @param {any} scan */
function thirdParty({ third_party: others }) {
  const told = others.filter((/** @type {any} */ one) => one.conclusion !== 'unknown');
  if (!told.length) return [];
  return [
    section(
      'scan.others',
      el(
        'ul',
        { class: 'plain' },
        told.map((/** @type {any} */ one) =>
          el('li', {}, t('scan.other', { name: clean(one.algorithm || one.source), word: word('conclusions', one.conclusion) })),
        ),
      ),
    ),
  ];
}

/** @param {any} scan */
function said({ said: words, said_left_out: older }) {
  const shown = words.filter((/** @type {any} */ one) => !['opened', 'viewed'].includes(one.kind));
  const views = words.length - shown.length;
  if (!words.length) return [];
  const lines = [...shown]
    .reverse()
    .map((/** @type {any} */ one) =>
      el(
        'li',
        { class: one.is_mine ? 'mine' : '' },
        el('p', {}, el('strong', {}, saidBy(one)), ' ', saidWhat(one)),
        el(
          'p',
          { class: 'dim' },
          [moment(one.at), one.workstation && clean(one.workstation), `r${one.revision}`].filter(Boolean).join(' · '),
        ),
      ),
    );
  return [
    section(
      'scan.said',
      el('ul', { class: 'plain' }, lines, older ? el('li', { class: 'dim' }, t('scan.more', { n: older })) : null),
      views ? el('p', { class: 'dim' }, t('scan.views', { n: views })) : null,
    ),
  ];
}

/** @param {any} one */
function saidBy(one) {
  if (one.kind === 'control') return t('said.control');
  if (one.is_mine) return t('said.me');
  return one.by ? t(one.is_supervisor ? 'said.supervisor' : 'said.officer') : t('said.site');
}

/** @param {any} one */
function saidWhat(one) {
  const found = one.found
    .map((/** @type {any} */ part) =>
      [part.quantity && isolated(part.quantity), word('form', part.what), part.where && word('form', part.where)]
        .filter(Boolean)
        .join(' '),
    )
    .join('; ');
  const why = one.reasons.map(sentence).join('; ');
  const note = one.note ? numberOf(one.note) : '';
  const missed = one.missed.length
    ? t('said.missed', { labels: one.missed.map((/** @type {any} */ part) => word('labels', part.label)).join(', ') })
    : '';
  const order = one.order && one.order !== 'assisted' ? word('orders', one.order) : '';
  return [
    one.conclusion ? word('conclusions', one.conclusion) : one.kind === 'referral' ? word('conclusions', 'refer') : '',
    why,
    found,
    missed,
    order,
    note && `“${isolated(note)}”`,
  ]
    .filter(Boolean)
    .join(' · ');
}

/** @param {any} scan */
function provenance({ row, capture, provenance: of, machine: judged }) {
  const bundles = (of?.bundles ?? []).map((/** @type {any} */ bundle) =>
    pair(t('made.model'), `${bundle.name} ${bundle.version} · ${word('bundle-states', bundle.state)} · ${bundle.sha256.slice(0, 12)}`),
  );
  const took = judged?.timings_ms?.total;
  return [
    el(
      'details',
      {},
      el('summary', {}, t('scan.made')),
      el(
        'dl',
        {},
        capture ? pair(t('made.taken'), moment(capture.taken_at), capture.tz_assumed ? ` (${t('made.assumed')})` : '') : null,
        pair(t('made.where'), `${clean(row.scanner)} · ${clean(row.site)}`),
        bundles,
        of ? pair(t('made.ran'), `${of.provider.replace('ExecutionProvider', '')} · ${clean(of.device)} · ${clean(of.runtime)}`) : null,
        of ? pair(t('made.policy'), `${of.policy_digest.slice(0, 12)} · ${of.config_digest.slice(0, 12)} · ${clean(of.daemon)}`) : null,
        took ? pair(t('made.took'), `${number(took)} ms`) : null,
        pair(t('made.scan'), `${row.scan_id} · r${row.revision}`),
      ),
    ),
  ];
}
