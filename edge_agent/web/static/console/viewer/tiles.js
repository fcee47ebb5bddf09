/**
 * From the site's tiles (unsigned 8 or 16 bit samples, 512 x 512 px) to the library's: 32 bit floats, which hold 16 bit exactly.
 *
 * Frames: canonical px of the scan have (0, 0) at the top left corner of the picture and y downwards; the map has y upwards, so that
 * canonical (x, y) is map (x, -y). One map unit is one px of level 0.
 * @module
 */
import { ol } from './library.js';

/**
 * A stored plane. `levels`: level 0 is the plane itself, each further level is half as wide and high, rounded up.
 * @typedef {object} Plane
 * @property {string} plane  its name at the site, such as "transmission/high"
 * @property {number} width  px
 * @property {number} height  px
 * @property {number} bits  8 or 16
 * @property {number} channels  1 grey, 3 colours
 * @property {number} levels
 */

/**
 * Gives the samples of one tile, row after row, channels interleaved; less than `tile` px wide or high at the right and lower border.
 * @callback LoadTile
 * @param {Plane} plane
 * @param {number} level
 * @param {number} row
 * @param {number} column
 * @param {AbortSignal} [signal]
 * @returns {Promise<Uint16Array | Uint8Array>}
 */

/** Side of a tile in px, as the wire says. */
export const TILE = 512;

/**
 * @param {number} width  px
 * @param {number} height  px
 */
export function projection(width, height) {
  return new ol.proj.Projection({ code: 'scan', units: 'pixels', extent: [0, -height, width, 0] });
}

/**
 * A source whose bands are the channels of `planes`, one after the other; all planes have one size.
 * @param {Plane[]} planes
 * @param {LoadTile} load
 * @param {any} frame  what `projection` gave
 * @param {(problem: unknown) => void} failed  told when a tile cannot be had
 * @param {0 | 1} [gutter]  1: each tile brings the nearest line of its neighbours, which a filter over neighbouring samples needs
 */
export function tileSource(planes, load, frame, failed, gutter = 0) {
  const { width, height, levels } = planes[0];
  const extent = [0, -height, width, 0];
  const resolutions = Array.from({ length: levels }, (_, z) => 2 ** (levels - 1 - z));
  const bands = planes.reduce((sum, plane) => sum + plane.channels, 0);
  const source = new ol.source.DataTile({
    bandCount: bands,
    gutter,
    interpolate: false,
    projection: frame,
    tileGrid: new ol.tilegrid.TileGrid({ extent, origin: [0, 0], resolutions, tileSize: TILE }),
    transition: 0,
    wrapX: false,
    /** @type {(z: number, x: number, y: number, options: {signal: AbortSignal}) => Promise<Float32Array>} */
    loader: async (z, x, y, { signal }) => {
      const level = levels - 1 - z;
      try {
        const parts = await Promise.all(planes.map((plane) => load(plane, level, y, x, signal)));
        await new Promise((go) => setTimeout(go)); // tiles that come together are unpacked one by one: keys are heard in between
        const size = tileSize(planes[0], level, y, x);
        const out = widened(parts, planes, size, gutter);
        if (gutter) await addNeighbours(out, planes, (plane, dx, dy) => load(plane, level, y + dy, x + dx, signal), { level, x, y });
        return out;
      } catch (problem) {
        if (!signal.aborted) failed(problem);
        throw problem;
      }
    },
  });
  return source;
}

/**
 * Width and height in px of one tile, as far as it lies in the picture.
 * @param {Plane} plane
 * @param {number} level
 * @param {number} row
 * @param {number} column
 * @returns {[number, number]}
 */
export function tileSize(plane, level, row, column) {
  const left = (/** @type {number} */ extent, /** @type {number} */ at) => Math.min(TILE, Math.ceil(extent / 2 ** level) - at * TILE);
  return [left(plane.width, column), left(plane.height, row)];
}

/**
 * Interleave the samples of several planes into one full tile. Beyond the picture's border, and in the gutter, the last sample is
 * repeated, so that edge enhancement makes no false edge there.
 * @param {(Uint16Array | Uint8Array)[]} parts
 * @param {Plane[]} planes
 * @param {[number, number]} size  px of the parts
 * @param {number} gutter  px around the tile
 * @returns {Float32Array}  (TILE + 2 gutter) squared x bands
 */
function widened(parts, planes, [width, height], gutter) {
  const bands = planes.reduce((sum, plane) => sum + plane.channels, 0);
  const out = new Float32Array((TILE + 2 * gutter) ** 2 * bands);
  let band = 0;
  parts.forEach((part, at) => {
    const { channels } = planes[at];
    checkSize(part, width * height * channels);
    for (let channel = 0; channel < channels; channel += 1, band += 1) {
      spread(part, channel, channels, out, band, bands, width, height, gutter);
    }
  });
  return out;
}

/**
 * @param {Uint16Array | Uint8Array} part
 * @param {number} wanted  samples
 */
function checkSize(part, wanted) {
  if (part.length !== wanted) throw new RangeError(`a tile of ${part.length} samples, not ${wanted}`);
}

/* eslint-disable-next-line max-params -- the inner loop: plain numbers are much faster than objects here */
function spread(part, channel, channels, out, band, bands, width, height, gutter) {
  const side = TILE + 2 * gutter;
  let to = band;
  for (let y = 0; y < side; y += 1) {
    let from = Math.max(0, Math.min(y - gutter, height - 1)) * width * channels + channel;
    const [inside, border, end] = [to + gutter * bands, to + (gutter + width) * bands, (y + 1) * side * bands];
    for (; to < inside; to += bands) out[to] = part[from];
    for (; to < border; to += bands, from += channels) out[to] = part[from];
    for (const last = part[from - channels]; to < end; to += bands) out[to] = last;
  }
}

/** The neighbours that share a side with a tile. */
const SIDES = [
  [-1, 0],
  [1, 0],
  [0, -1],
  [0, 1],
];

/**
 * Fill a gutter of one px with the lines of the neighbouring tiles that lie next to it, as far as there are neighbours.
 * @param {Float32Array} out  what `widened` gave
 * @param {Plane[]} planes
 * @param {(plane: Plane, dx: number, dy: number) => Promise<Uint16Array | Uint8Array>} load
 * @param {{level: number, x: number, y: number}} tile
 */
async function addNeighbours(out, planes, load, { level, x, y }) {
  const bands = planes.reduce((sum, plane) => sum + plane.channels, 0);
  const side = TILE + 2;
  const first = planes.map((_, at) => planes.slice(0, at).reduce((sum, plane) => sum + plane.channels, 0));
  const lines = planes.flatMap((plane, at) =>
    SIDES.map(async ([dx, dy]) => {
      const [width, height] = tileSize(plane, level, y + dy, x + dx);
      if (x + dx < 0 || y + dy < 0 || width <= 0 || height <= 0) return;
      const part = await load(plane, dx, dy);
      checkSize(part, width * height * plane.channels);
      const along = dx ? height : width;
      for (let step = 0; step < along; step += 1) {
        const [px, py] = dx ? [dx < 0 ? width - 1 : 0, step] : [step, dy < 0 ? height - 1 : 0];
        const [ox, oy] = dx ? [dx < 0 ? 0 : TILE + 1, step + 1] : [step + 1, dy < 0 ? 0 : TILE + 1];
        for (let channel = 0; channel < plane.channels; channel += 1)
          out[(oy * side + ox) * bands + first[at] + channel] = part[(py * width + px) * plane.channels + channel];
      }
    }),
  );
  await Promise.all(lines);
}
