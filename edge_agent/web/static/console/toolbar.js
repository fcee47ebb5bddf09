/**
 * The tools over the pictures: buttons that show their key and their state, and sliders.
 * @module
 */
import { el, fill } from './dom.js';
import { paletteName } from './desk.js';
import { number } from './format.js';
import { t } from './texts.js';

/**
 * @param {import('./desk.js').Desk} desk
 * @param {{missed: () => void}} acts
 */
export function toolbar(desk, acts) {
  const element = el('div', { class: 'toolbar', role: 'toolbar', 'aria-label': t('tools') });
  const button = (/** @type {string} */ key, /** @type {string} */ text, /** @type {() => void} */ act) =>
    el(
      'button',
      { 'aria-keyshortcuts': key, title: `${t(text)} (${key.toUpperCase()})`, on: { click: act } },
      el('span', {}, t(`${text}.short`)),
      el('kbd', {}, key.toUpperCase()),
    );
  const toggles = {
    invert: button('i', 'tool.invert', () => desk.setShade({ invert: !desk.shade.invert })),
    edges: button('e', 'tool.edges', () => desk.nextEdges()),
    palette: button('p', 'tool.palette', () => desk.nextPalette()),
    boxes: button('b', 'tool.boxes', () => desk.setOver({ showsBoxes: !desk.showsBoxes })),
    heat: button('h', 'tool.heat', () => desk.setOver({ showsHeat: !desk.showsHeat })),
    ruler: button('r', 'tool.ruler', () => void desk.measure()),
    split: button('v', 'tool.split', () => desk.split()),
  };
  const gamma = slider('tool.gamma', 0.3, 3, 0.05, (value) => desk.setShade({ gamma: value }));
  const mix = slider('tool.mix', 0, 1, 0.05, (value) => desk.setShade({ mix: value }));
  const score = slider('tool.score', 0, 1, 0.05, (value) => desk.setOver({ leastScore: value }));
  const shown = el('output', { class: 'window', title: t('tool.window') });
  fill(
    element,
    el(
      'div',
      {},
      button('0', 'tool.fit', () => desk.each((picture) => picture.fit())),
      button('1', 'tool.true', () => desk.each((picture) => picture.trueSize())),
      toggles.split,
      toggles.ruler,
    ),
    el('div', {}, toggles.boxes, toggles.heat, score.element, button('m', 'tool.missed', acts.missed)),
    el(
      'div',
      {},
      button('a', 'tool.auto', () => desk.autoWindow()),
      toggles.invert,
      toggles.edges,
      toggles.palette,
      gamma.element,
      mix.element,
      shown,
    ),
  );
  const draw = () => {
    const { shade, showsBoxes, showsHeat, isMeasuring, panes } = desk;
    const states = {
      invert: shade.invert,
      edges: shade.edges > 0,
      palette: shade.palette !== 'grey',
      boxes: showsBoxes,
      heat: showsHeat,
      ruler: isMeasuring,
      split: panes.length > 1,
    };
    for (const [name, isOn] of Object.entries(states))
      toggles[/** @type {keyof typeof toggles} */ (name)].setAttribute('aria-pressed', String(isOn));
    toggles.heat.disabled = desk.heats.size === 0;
    toggles.edges.firstChild.textContent = shade.edges ? `${t('tool.edges.short')} ${shade.edges}` : t('tool.edges.short');
    toggles.palette.firstChild.textContent = paletteName(shade.palette);
    gamma.set(shade.gamma);
    mix.set(shade.mix);
    mix.element.hidden = !panes.some((pane) => pane.choice.planes.length > 1);
    score.set(desk.leastScore);
    shown.textContent = `${number(shade.low)} – ${number(shade.high)}`;
  };
  desk.addEventListener('change', draw);
  draw();
  return element;
}

/**
 * @param {string} text
 * @param {number} min
 * @param {number} max
 * @param {number} step
 * @param {(value: number) => void} moved
 */
function slider(text, min, max, step, moved) {
  const input = el('input', { type: 'range', min, max, step, on: { input: () => moved(Number(input.value)) } });
  const value = el('output');
  return {
    element: el('label', { class: 'slider' }, el('span', {}, t(text)), input, value),
    /** @param {number} to */
    set(to) {
      if (Number(input.value) !== to) input.value = String(to);
      value.textContent = number(to, 2);
    },
  };
}

/**
 * The keys of the pictures.
 * @param {import('./desk.js').Desk} desk
 * @returns {import('./keys.js').Key[]}
 */
export function pictureKeys(desk) {
  const group = 'keys.picture';
  const key = (
    /** @type {string} */ name,
    /** @type {string} */ text,
    /** @type {() => void} */ act,
    /** @type {string} */ shown = '',
  ) => ({ key: name, text, group, act, ...(shown ? { shown } : {}) });
  const pan = (/** @type {string} */ name, /** @type {number} */ dx, /** @type {number} */ dy, /** @type {string} */ shown) =>
    key(name, 'key.pan', () => desk.each((picture) => picture.pan(dx, dy)), shown);
  return [
    key('0', 'tool.fit', () => desk.each((picture) => picture.fit())),
    key('1', 'tool.true', () => desk.each((picture) => picture.trueSize())),
    key('+', 'key.closer', () => desk.each((picture) => picture.zoom(1.5))),
    key('=', 'key.closer', () => desk.each((picture) => picture.zoom(1.5))),
    key('-', 'key.farther', () => desk.each((picture) => picture.zoom(1 / 1.5))),
    pan('ArrowLeft', -0.15, 0, '←'),
    pan('ArrowRight', 0.15, 0, '→'),
    pan('ArrowUp', 0, -0.15, '↑'),
    pan('ArrowDown', 0, 0.15, '↓'),
    key('a', 'tool.auto', () => desk.autoWindow()),
    key('[', 'key.narrower', () => desk.moveWindow(0, 0.85)),
    key(']', 'key.wider', () => desk.moveWindow(0, 1 / 0.85)),
    key(',', 'key.brighter', () => desk.moveWindow(0.06, 1)),
    key('.', 'key.darker', () => desk.moveWindow(-0.06, 1)),
    key('i', 'tool.invert', () => desk.setShade({ invert: !desk.shade.invert })),
    key('e', 'tool.edges', () => desk.nextEdges()),
    key('p', 'tool.palette', () => desk.nextPalette()),
    key('g', 'tool.gamma', () => desk.setShade({ gamma: desk.shade.gamma >= 2.2 ? 0.6 : Math.round((desk.shade.gamma + 0.4) * 10) / 10 })),
    key('z', 'tool.mix', () => desk.setShade({ mix: desk.shade.mix >= 1 ? 0 : desk.shade.mix + 0.5 })),
    key('b', 'tool.boxes', () => desk.setOver({ showsBoxes: !desk.showsBoxes })),
    key('h', 'tool.heat', () => desk.setOver({ showsHeat: !desk.showsHeat })),
    key('r', 'tool.ruler', () => void desk.measure()),
    key('v', 'tool.split', () => desk.split()),
  ];
}
