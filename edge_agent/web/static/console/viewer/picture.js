/**
 * One view of a scan on the screen: pan, zoom, and the shade. What lies over it (boxes, heat, ruler) is added by `marks.js`.
 * @module
 */
import { ol } from './library.js';
import { needsOtherProgram, plainShade, style, variables } from './shade.js';
import { projection, tileSource } from './tiles.js';

/** @typedef {import('./tiles.js').Plane} Plane */
/** @typedef {import('./tiles.js').LoadTile} LoadTile */
/** @typedef {import('./shade.js').Shade} Shade */

const MOST_ZOOM = 16;
const MOST_TILES = 96;
/** Textures kept beyond what is on the screen: 96 tiles of two energies are 200 MB at most, freed when the picture is closed. */

/** A picture that is open. Close it, or its textures stay. */
export class Picture {
  /**
   * @param {HTMLElement} target  an element with a size
   * @param {Plane[]} planes  of one view and one size: one grey, two energies (the first is shown first) or one with three channels
   * @param {LoadTile} load
   * @param {{view?: any, failed?: (problem: unknown) => void}} [options]  `view`: of another picture, to move together
   */
  constructor(target, planes, load, options = {}) {
    const [{ width, height, bits }] = planes;
    this.target = target;
    this.width = width;
    this.height = height;
    this.bits = bits;
    this.bands = planes.reduce((sum, plane) => sum + plane.channels, 0);
    /** @type {Shade} */
    this.shade = plainShade(bits);
    this.frame = projection(width, height);
    /** @param {0 | 1} gutter */
    this.makeSource = (gutter) => tileSource(planes, load, this.frame, options.failed ?? (() => {}), gutter);
    this.layer = new ol.layer.WebGLTile({
      source: this.makeSource(0),
      style: style(this.shade, this.bands),
      cacheSize: MOST_TILES,
      extent: [0, -height, width, 0],
    });
    this.map = new ol.Map({
      target,
      layers: [this.layer],
      controls: [],
      view: options.view ?? this.makeView(),
      maxTilesLoading: 8,
      interactions: [
        new ol.interaction.DragPan({ condition: (event) => isPlainDrag(event.originalEvent) }),
        new ol.interaction.PinchZoom(),
        new ol.interaction.MouseWheelZoom({ duration: 0, timeout: 0, constrainResolution: false }),
      ],
    });
    if (!options.view) this.fit();
  }

  makeView() {
    const extent = [0, -this.height, this.width, 0];
    const margin = Math.max(this.width, this.height);
    return new ol.View({
      projection: this.frame,
      center: [this.width / 2, -this.height / 2],
      resolution: 1,
      minResolution: 1 / MOST_ZOOM,
      maxResolution: Math.max(2, margin / 200),
      enableRotation: false,
      smoothExtentConstraint: false,
      smoothResolutionConstraint: false,
      constrainOnlyCenter: true,
      extent,
      showFullExtent: true,
    });
  }

  /** The whole picture, as large as fits. */
  fit() {
    this.map.updateSize();
    this.map.getView().fit([0, -this.height, this.width, 0], { size: this.map.getSize(), padding: [8, 8, 8, 8] });
  }

  /** One px of the scan is one px of the screen, and lies on it exactly. */
  trueSize() {
    const view = this.map.getView();
    const [x, y] = view.getCenter();
    const resolution = 1 / (globalThis.devicePixelRatio || 1);
    const [wide, high] = this.map.getSize();
    const snapped = (/** @type {number} */ at, /** @type {number} */ extent) =>
      Math.round((at - (extent * resolution) / 2) / resolution) * resolution + (extent * resolution) / 2;
    view.setResolution(resolution);
    view.setCenter([snapped(x, wide), -snapped(-y, high)]);
  }

  /** @param {number} times  above 1 = closer */
  zoom(times) {
    const view = this.map.getView();
    view.setResolution(view.getConstrainedResolution(view.getResolution() / times));
  }

  /**
   * @param {number} dx  shares of the width of the screen
   * @param {number} dy  shares of its height
   */
  pan(dx, dy) {
    const view = this.map.getView();
    const [x, y] = view.getCenter();
    const [wide, high] = this.map.getSize();
    view.setCenter([x + dx * wide * view.getResolution(), y - dy * high * view.getResolution()]);
  }

  /**
   * Bring a box (canonical px) to the middle, with its surroundings.
   * @param {[number, number, number, number]} box  x0, y0, x1, y1
   */
  show([x0, y0, x1, y1]) {
    const room = Math.max(120, 1.5 * Math.max(x1 - x0, y1 - y0));
    this.map.getView().fit([x0 - room, -y1 - room, x1 + room, -y0 + room], { size: this.map.getSize(), minResolution: 0.5 });
  }

  /** @param {Partial<Shade>} change */
  setShade(change) {
    const before = this.shade;
    this.shade = { ...before, ...change };
    if (before.edges > 0 !== this.shade.edges > 0) this.setSource(this.makeSource(this.shade.edges > 0 ? 1 : 0));
    if (needsOtherProgram(before, this.shade)) this.layer.setStyle(style(this.shade, this.bands));
    else this.layer.updateStyleVariables(variables(this.shade));
  }

  /** @param {any} source */
  setSource(source) {
    const before = this.layer.getSource();
    this.layer.setSource(source);
    before.clear?.();
    before.dispose();
  }

  /**
   * Canonical px under a place of the screen.
   * @param {[number, number]} pixel  CSS px in the target
   * @returns {[number, number]}
   */
  placeAt(pixel) {
    const [x, y] = this.map.getCoordinateFromPixel(pixel) ?? [0, 0];
    return [x, -y];
  }

  /**
   * Samples under a place of the screen, one a band; none where nothing is loaded.
   * @param {[number, number]} pixel
   * @returns {number[]}
   */
  samplesAt(pixel) {
    const data = this.layer.getData(pixel);
    return data ? Array.from(data).slice(0, this.bands) : [];
  }

  /** Give back everything: textures, tiles, listeners. */
  close() {
    this.map.setTarget(undefined);
    const source = this.layer.getSource();
    this.layer.dispose();
    source.clear?.();
    source.dispose();
    this.map.dispose();
  }
}

/** @param {PointerEvent} event */
function isPlainDrag(event) {
  return (event.button === 0 || event.pointerType === 'touch' || event.buttons === 1) && !event.shiftKey && !event.ctrlKey && !event.altKey;
}
