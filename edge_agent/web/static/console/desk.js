/**
 * The light table: one or two pictures of a scan, and what is switched on over them. The tools and the keys act on it.
 * @module
 */
import { el, fill } from './dom.js';
import { number } from './format.js';
import { Pane } from './pane.js';
import { t, word } from './texts.js';
import { TileStore } from './tilestore.js';
import { PALETTES, plainShade } from './viewer/shade.js';

/** @typedef {import('./viewer/marks.js').Mark & {view: string, reason: string}} DeskMark */
/** @typedef {{view: string, box: [number, number, number, number], label: string, name: string}} Missed */

export class Desk extends EventTarget {
  /**
   * @param {import('./shell.js').Context} context
   * @param {string} site
   * @param {string} scanId
   */
  constructor(context, site, scanId) {
    super();
    this.context = context;
    this.site = site;
    this.scanId = scanId;
    this.revision = 1;
    this.element = el('div', { class: 'desk' });
    /** @type {Pane[]} */
    this.panes = [];
    /** @type {import('./pictures.js').Choice[]} */
    this.choices = [];
    /** @type {DeskMark[]} */
    this.marks = [];
    /** @type {Missed[]} */
    this.missed = [];
    this.heats = new Map();
    this.tiles = new TileStore();
    this.shade = plainShade(16);
    this.showsBoxes = true;
    this.showsHeat = false;
    this.leastScore = 0.05; // boxes of what the machine holds for unlikely only clutter the picture
    this.isMeasuring = false;
  }

  /** Words where the pictures will be. @param {HTMLElement} words */
  say(words) {
    this.close();
    fill(this.element, words);
    this.changed();
  }

  /**
   * @param {import('./pictures.js').Choice[]} choices
   * @param {number} revision
   */
  open(choices, revision) {
    this.close();
    this.revision = revision;
    this.choices = choices;
    if (!choices.length) return void fill(this.element, el('p', { class: 'empty' }, t('scan.no-pictures')));
    this.shade = { ...plainShade(choices[0].planes[0].bits), ...kept() };
    this.addPane(choices[0]);
  }

  /** @param {import('./pictures.js').Choice} choice */
  addPane(choice) {
    const pane = new Pane(this, choice);
    this.panes.push(pane);
    fill(
      this.element,
      this.panes.map((one) => one.element),
    );
    pane.open(this.panes.length > 1 ? this.panes[0] : undefined);
    if (this.panes.length > 1) this.each((picture) => picture.fit());
    this.changed();
  }

  /** One picture, or two side by side: the next view, or the same one where there is no other. */
  split() {
    if (this.panes.length > 1) {
      this.panes.pop()?.close();
      fill(
        this.element,
        this.panes.map((one) => one.element),
      );
      this.each((picture) => picture.fit());
      return this.changed();
    }
    if (!this.panes.length) return;
    this.addPane(this.choices[(this.choices.indexOf(this.panes[0].choice) + 1) % this.choices.length]);
  }

  /** @param {Partial<import('./viewer/shade.js').Shade>} change */
  setShade(change) {
    this.shade = { ...this.shade, ...change };
    keep(this.shade);
    this.panes.forEach((pane) => pane.picture?.setShade(this.shade));
    this.changed();
  }

  nextPalette() {
    const names = Object.keys(PALETTES);
    this.setShade({ palette: names[(names.indexOf(this.shade.palette) + 1) % names.length] });
  }

  nextEdges() {
    this.setShade({ edges: this.shade.edges >= 4 ? 0 : this.shade.edges === 0 ? 1 : this.shade.edges * 2 });
  }

  /**
   * @param {number} level  share of the window's width
   * @param {number} width  factor
   */
  moveWindow(level, width) {
    this.panes[0]?.moveWindow(level, width);
  }

  /** @param {DeskMark[]} marks */
  setMarks(marks) {
    this.marks = marks;
    this.panes.forEach((pane) => pane.show());
  }

  /** @param {Map<string, string>} heats  SHA-256 of the heat map by view */
  setHeats(heats) {
    this.heats = heats;
    this.panes.forEach((pane) => pane.show());
    this.changed();
  }

  /** @param {string} view */
  heatOf(view) {
    return this.heats.get(view) ?? null;
  }

  /** @param {{showsBoxes?: boolean, showsHeat?: boolean, leastScore?: number}} change */
  setOver(change) {
    Object.assign(this, change);
    this.panes.forEach((pane) => pane.show());
    this.changed();
  }

  /** @param {Missed[]} missed */
  setMissed(missed) {
    this.missed = missed;
    this.panes.forEach((pane) => pane.show());
  }

  /**
   * The officer draws what the machine missed, on whichever picture.
   * @returns {Promise<{view: string, box: [number, number, number, number]} | null>}
   */
  async drawMissed() {
    const drawings = this.panes
      .filter((pane) => pane.marks)
      .map(async (pane) => ({ view: pane.choice.view, box: await pane.marks?.drawBox() }));
    if (!drawings.length) return null;
    const first = await Promise.any(
      drawings.map(async (drawing) => {
        const { view, box } = await drawing;
        if (!box) throw new Error('given up');
        return { view, box };
      }),
    ).catch(() => null);
    this.stopDrawing();
    return first;
  }

  stopDrawing() {
    this.panes.forEach((pane) => pane.marks?.stopDrawing());
    this.isMeasuring = false;
    this.changed();
  }

  async measure() {
    if (this.isMeasuring) {
      this.panes.forEach((pane) => pane.marks?.clearRuler());
      return this.stopDrawing();
    }
    this.isMeasuring = true;
    this.changed();
    await Promise.race(this.panes.map((pane) => pane.marks?.measure(([dx, dy]) => length(pane.choice, dx, dy))));
    this.stopDrawing();
  }

  /**
   * Bring a box to the middle of a picture of its view.
   * @param {DeskMark} mark
   */
  show(mark) {
    const pane = this.panes.find((one) => one.choice.view === mark.view);
    if (pane?.picture) return pane.picture.show(mark.box);
    const choice = this.choices.find((one) => one.view === mark.view);
    if (!choice || !this.panes.length) return;
    this.panes[0].choice = choice;
    this.panes[0].open().then(() => this.panes[0].picture?.show(mark.box));
  }

  /** @param {string | null} id  of a mark */
  pick(id) {
    this.dispatchEvent(new CustomEvent('pick', { detail: id }));
  }

  changed() {
    this.dispatchEvent(new Event('change'));
  }

  /** @param {(picture: import('./viewer/picture.js').Picture) => void} act */
  each(act) {
    const seen = new Set();
    for (const { picture } of this.panes) {
      if (!picture || seen.has(picture.map.getView())) continue;
      seen.add(picture.map.getView());
      act(picture);
    }
  }

  autoWindow() {
    this.panes[0]?.autoWindow();
  }

  close() {
    this.panes.forEach((pane) => pane.close());
    this.panes = [];
    this.tiles.close();
    this.tiles = new TileStore();
  }
}

/**
 * What the ruler says: millimetres where the scale is known, pixels where it is not.
 * @param {import('./pictures.js').Choice} choice
 * @param {number} dx
 * @param {number} dy
 */
function length({ pitch, pitchAssumed }, dx, dy) {
  if (!pitch) return t('ruler.px', { n: number(Math.hypot(dx, dy)) });
  const mm = Math.hypot(dx * pitch[0], dy * pitch[1]);
  return t(pitchAssumed ? 'ruler.assumed' : 'ruler.mm', { n: number(mm) });
}

/** How the officer likes pictures shown goes from scan to scan; the window does not: each scan has its own. */
let liking = /** @type {Partial<import('./viewer/shade.js').Shade>} */ ({});
const kept = () => liking;
/** @param {import('./viewer/shade.js').Shade} shade */
function keep({ gamma, invert, palette }) {
  liking = { gamma, invert, palette };
}

/** @param {string} palette */
export const paletteName = (palette) => word('palettes', palette);
