/**
 * One picture on the page of a scan, with its marks, its pointer and its choice of view. There are one or two.
 * @module
 */
import { getBlob, path } from './api.js';
import { el, fill } from './dom.js';
import { number } from './format.js';
import { t } from './texts.js';
import { tileLoader } from './pictures.js';
import { why } from './problems.js';
import { heatCanvas } from './viewer/heat.js';
import { Marks } from './viewer/marks.js';
import { Picture } from './viewer/picture.js';
import { tileSize } from './viewer/tiles.js';
import { autoWindow, listenWindowDrag, movedWindow } from './viewer/window.js';

export class Pane {
  /**
   * @param {import('./desk.js').Desk} desk
   * @param {import('./pictures.js').Choice} choice
   */
  constructor(desk, choice) {
    this.desk = desk;
    this.stop = new AbortController();
    this.target = el('div', { class: 'picture', role: 'img', tabindex: 0 });
    this.readout = el('p', { class: 'readout', 'aria-hidden': 'true' });
    this.tip = el('p', { class: 'tip', hidden: true });
    this.trouble = el('p', { class: 'trouble', role: 'alert', hidden: true });
    this.wait = el('p', { class: 'wait', role: 'status' }, t('scan.loading'));
    this.names = el('div', { class: 'names', role: 'group', 'aria-label': t('scan.pictures') });
    this.element = el('section', { class: 'pane' }, this.names, this.target, this.wait, this.tip, this.readout, this.trouble);
    /** @type {Picture | null} */
    this.picture = null;
    this.choice = choice;
  }

  /** To be called once the element is on the page and has its size. @param {Pane} [beside] */
  async open(beside) {
    const { site, scanId, revision } = this.desk;
    const { planes, view } = this.choice;
    this.close();
    this.stop = new AbortController();
    this.drawNames();
    this.load = tileLoader(site, scanId, revision, view, this.desk.tiles);
    this.wait.hidden = false;
    const other = beside?.picture;
    const linked = other && other.width === planes[0].width && other.height === planes[0].height ? other.map.getView() : undefined;
    this.picture = new Picture(this.target, planes, this.load, { view: linked, failed: (problem) => this.fail(problem) });
    this.marks = new Marks(this.picture);
    this.target.setAttribute('aria-label', t('scan.picture', { view: this.choice.name }));
    this.picture.setShade(this.desk.shade);
    this.picture.map.once('rendercomplete', () => {
      this.wait.hidden = true;
    });
    this.listen();
    this.show();
    this.resizing = new ResizeObserver(() => this.picture?.map.updateSize());
    this.resizing.observe(this.target);
    await this.autoWindow();
  }

  /** What the desk shows over the pictures. */
  show() {
    const { desk, marks, picture, choice } = this;
    if (!picture || !marks) return;
    marks.setBoxes(desk.marks.filter((mark) => mark.view === choice.view));
    marks.setLeastScore(desk.leastScore);
    marks.showBoxes(desk.showsBoxes);
    marks.setMissed(desk.missed.filter((one) => one.view === choice.view));
    this.showHeat();
  }

  async showHeat() {
    const { desk, choice } = this;
    const blob = desk.showsHeat ? desk.heatOf(choice.view) : null;
    if (blob === this.heat) return;
    this.heat = blob;
    if (!blob) return void this.marks?.setHeat(null);
    try {
      const canvas = await heatCanvas(await getBlob(`/api/scans/${path(desk.site, desk.scanId)}/blobs/${blob}`, this.stop.signal));
      if (this.heat === blob) this.marks?.setHeat(canvas);
    } catch {
      if (!this.stop.signal.aborted) desk.context.say(t('scan.heat.failed'), 'problem');
    }
  }

  /** The window that fits this scan, from its smallest level. */
  async autoWindow() {
    const [plane] = this.choice.planes;
    if (plane.channels !== 1 || !this.load) return;
    const level = plane.levels - 1;
    const [wide, high] = tileSize(plane, 0, 0, 0);
    if (wide <= 0 || high <= 0) return;
    try {
      const samples = await this.load(plane, level, 0, 0, this.stop.signal);
      this.desk.setShade(autoWindow(samples, plane.bits));
    } catch (problem) {
      if (!this.stop.signal.aborted) this.fail(problem);
    }
  }

  listen() {
    const { signal } = this.stop;
    const picture = /** @type {Picture} */ (this.picture);
    listenWindowDrag(this.target, (level, width) => this.moveWindow(level, width), signal);
    this.target.addEventListener('pointermove', (event) => this.point(event), { signal, passive: true });
    this.target.addEventListener(
      'pointerleave',
      () => {
        this.tip.hidden = true;
        fill(this.readout);
      },
      { signal },
    );
    picture.map.on('singleclick', (/** @type {any} */ event) => this.desk.pick(this.marks?.markAt(event.pixel)?.id ?? null));
  }

  /**
   * @param {number} level  share of the window's width
   * @param {number} width  factor
   */
  moveWindow(level, width) {
    const { low, high } = this.desk.shade;
    this.desk.setShade(movedWindow({ low, high }, -level * (high - low), width, this.choice.planes[0].bits));
  }

  /** @param {PointerEvent} event */
  point(event) {
    const { picture } = this;
    if (!picture || this.pointing) return;
    this.pointing = requestAnimationFrame(() => {
      this.pointing = 0;
      const frame = this.target.getBoundingClientRect();
      /** @type {[number, number]} */
      const pixel = [event.clientX - frame.left, event.clientY - frame.top];
      const [x, y] = picture.placeAt(pixel);
      const isInside = x >= 0 && y >= 0 && x < picture.width && y < picture.height;
      const samples = isInside && event.buttons === 0 ? picture.samplesAt(pixel) : [];
      this.readout.textContent = isInside ? `x ${Math.floor(x)}  y ${Math.floor(y)}  ${samples.map((one) => number(one)).join(' | ')}` : '';
      this.pointAt(event.buttons === 0 ? (this.marks?.markAt(pixel) ?? null) : null, pixel);
    });
  }

  /**
   * @param {any} mark
   * @param {[number, number]} pixel
   */
  pointAt(mark, pixel) {
    this.tip.hidden = mark === null;
    if (mark === null) return;
    fill(this.tip, el('strong', {}, `${mark.name} ${mark.score.toFixed(2)}`), el('span', {}, mark.reason));
    this.tip.style.setProperty('inset-block-start', `${pixel[1] + 18}px`);
    this.tip.style.setProperty('left', `${Math.min(pixel[0] + 14, this.target.clientWidth - 280)}px`);
  }

  drawNames() {
    const all = this.desk.choices;
    fill(
      this.names,
      all.map((one) => el('button', { 'aria-pressed': String(one === this.choice), on: { click: () => this.choose(one) } }, one.name)),
      this.choice.planes[0].bits <= 8 ? el('span', { class: 'mark' }, t('scan.8bit')) : null,
    );
  }

  /** @param {import('./pictures.js').Choice} choice */
  choose(choice) {
    this.choice = choice;
    this.open(this.desk.panes.find((pane) => pane !== this));
  }

  /** @param {unknown} problem */
  fail(problem) {
    this.wait.hidden = true;
    this.trouble.hidden = false;
    fill(
      this.trouble,
      t('scan.tiles.failed', { why: why(problem) }),
      ' ',
      el(
        'button',
        {
          on: {
            click: () => {
              this.trouble.hidden = true;
              this.open();
            },
          },
        },
        t('again'),
      ),
    );
  }

  close() {
    this.stop.abort();
    this.resizing?.disconnect();
    this.marks?.close();
    this.picture?.close();
    this.picture = null;
    this.marks = undefined;
    this.heat = undefined;
    this.target.replaceChildren();
  }
}
