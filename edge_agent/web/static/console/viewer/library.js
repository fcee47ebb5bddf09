/**
 * OpenLayers, loaded by index.html before this module (vendor/ol/ol.js, version 10.11, BSD-2-Clause). The only place that names it.
 * @module
 */

/** @type {any} */
export const ol = /** @type {any} */ (globalThis).ol;

/*
 * The library asks for antialiasing of its WebGL canvases and has no option for it. Tiles are rectangles along the pixel grid: there is
 * nothing to smooth, and on a workstation without a graphics card it costs a third of the frames.
 */
const getContext = HTMLCanvasElement.prototype.getContext;
HTMLCanvasElement.prototype.getContext = /** @type {any} */ (
  /** @this {HTMLCanvasElement} @param {string} kind @param {any} [options] */
  function withoutAntialias(kind, options) {
    return getContext.call(this, kind, kind.includes('webgl') ? { ...options, antialias: false } : options);
  }
);
