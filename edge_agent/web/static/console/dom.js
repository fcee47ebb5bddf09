/**
 * Building elements. Text always goes in as text, never as markup: what comes from a side-car or an officer stays inert.
 * @module
 */
import { written } from './texts.js';

/**
 * @typedef {Node | string | number | null | undefined | false} Child
 * @typedef {object} Props
 * @property {string} [class]
 * @property {Record<string, (event: any) => void>} [on]  listeners by event
 * @property {Record<string, string>} [style]  custom properties and properties, set one by one (the page's policy forbids style attributes)
 */

/**
 * @param {string} tag
 * @param {Props & Record<string, any>} [props]  everything else is an attribute; `true` sets it empty, false and null leave it out
 * @param {...(Child | Child[])} children
 * @returns {any}
 */
export function el(tag, props = {}, ...children) {
  const { class: names, on, style, ...attributes } = props;
  const element = document.createElement(tag);
  if (names) element.className = names;
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) element.setAttribute(name, '');
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, String(value));
  }
  for (const [name, value] of Object.entries(style ?? {})) element.style.setProperty(name, value);
  for (const [name, listener] of Object.entries(on ?? {})) element.addEventListener(name, listener);
  element.append(...shown(children));
  return element;
}

/**
 * A field for an officer's own words. What is typed or pasted into it is `written` at once, so that nothing else is ever sent.
 * @param {Record<string, any>} attributes
 * @param {string} value
 * @param {(value: string) => void} [changed]
 * @returns {HTMLTextAreaElement}
 */
export function noteField(attributes, value, changed = () => {}) {
  const field = /** @type {HTMLTextAreaElement} */ (el('textarea', attributes));
  field.value = written(value);
  field.addEventListener('input', () => {
    const kept = written(field.value);
    if (kept !== field.value) {
      const at = written(field.value.slice(0, field.selectionStart)).length;
      field.value = kept;
      field.setSelectionRange(at, at);
    }
    changed(kept);
  });
  return field;
}

/**
 * Put other children into an element.
 * @param {Element} element
 * @param {...(Child | Child[])} children
 */
export function fill(element, ...children) {
  element.replaceChildren(...shown(children));
}

/** @param {(Child | Child[])[]} children */
function shown(children) {
  return children
    .flat(3)
    .filter((child) => child !== null && child !== undefined && child !== false)
    .map((child) => (child instanceof Node ? child : String(child)));
}

const SVG = 'http://www.w3.org/2000/svg';

/** Outlines on a 16 x 16 grid. */
const ICONS = {
  alert: 'M8 1.5 15 14H1Z M8 6v4 M8 11.6v1',
  clear: 'M2.5 8.5 6.5 12.5 13.5 4',
  blocked: 'M8 1.5a6.5 6.5 0 1 0 0 13a6.5 6.5 0 0 0 0-13Z M3.5 3.5l9 9',
  aside: 'M2 4h12v9H2Z M5 4V2h6v2 M6 8h4',
  blind: 'M1.5 8s2.5-4.5 6.5-4.5S14.5 8 14.5 8 12 12.5 8 12.5 1.5 8 1.5 8Z M3 14 13 2',
  stale: 'M2 5a9 9 0 0 1 12 0 M4.5 8a5.5 5.5 0 0 1 7 0 M8 12v.5 M3 14 13 2',
  degraded: 'M8 2v6 M8 10.5v1.5 M2 14h12 M4 8a4 4 0 0 1 8 0',
  advisory: 'M8 1.5a6.5 6.5 0 1 0 0 13a6.5 6.5 0 0 0 0-13Z M8 7v5 M8 4v1',
  unsaved: 'M3 2h8l3 3v9H2V2Z M5 2v4h6 M8 9v3 M8 13v.5',
  person: 'M8 8a3 3 0 1 0 0-6a3 3 0 0 0 0 6Z M2.5 14.5a5.5 5.5 0 0 1 11 0',
  referred: 'M2 8h10 M8.5 4 12.5 8 8.5 12',
  clock: 'M8 1.5a6.5 6.5 0 1 0 0 13a6.5 6.5 0 0 0 0-13Z M8 4v4l3 2',
  theme: 'M8 1.5a6.5 6.5 0 1 0 0 13a6.5 6.5 0 0 0 0-13Z M8 1.5v13 M8 4.5a3.5 3.5 0 0 1 0 7',
  back: 'M13 8H3 M7 4 3 8l4 4',
};

/**
 * @param {string} name  of ICONS
 * @returns {SVGElement}  hidden from screen readers: the word beside it says the same
 */
export function icon(name) {
  const svg = document.createElementNS(SVG, 'svg');
  const path = document.createElementNS(SVG, 'path');
  for (const [key, value] of Object.entries({ viewBox: '0 0 16 16', class: 'icon', 'aria-hidden': 'true', focusable: 'false' }))
    svg.setAttribute(key, value);
  path.setAttribute('d', ICONS[/** @type {keyof typeof ICONS} */ (name)] ?? ICONS.advisory);
  svg.append(path);
  return svg;
}

/**
 * @param {string} tag  of SVG
 * @param {Record<string, string | number>} attributes
 * @param {...(Element | string)} children
 */
export function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  element.append(...children);
  return element;
}
