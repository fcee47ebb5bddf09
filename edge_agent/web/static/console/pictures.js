/**
 * Which pictures a scan has, and where their tiles are.
 * @module
 */
import { getBytes, path } from './api.js';
import { word } from './texts.js';

/** @typedef {import('./viewer/tiles.js').Plane} Plane */

/**
 * A picture to choose: a view in grey, with its second energy where there is one, or as the vendor coloured it.
 * @typedef {object} Choice
 * @property {string} view
 * @property {Plane[]} planes
 * @property {string} name  as shown
 * @property {[number, number] | null} pitch  mm a pixel (x, y)
 * @property {boolean} pitchAssumed
 */

const BYTES = 2;

/**
 * @param {any[]} stored  planes of PlanesView
 * @returns {Choice[]}
 */
export function choices(stored) {
  /** @type {Choice[]} */
  const found = [];
  for (const view of new Set(stored.map((plane) => plane.view))) {
    const planes = stored.filter((plane) => plane.view === view);
    const grey = planes.filter((plane) => plane.channels === 1).sort((one, other) => energy(one) - energy(other));
    for (const quantity of new Set(grey.map(quantityOf))) {
      const energies = grey.filter((plane) => quantityOf(plane) === quantity);
      const alike = energies.filter(
        (plane) => plane.width === energies[0].width && plane.height === energies[0].height && plane.bits === energies[0].bits,
      );
      found.push(choice(alike.slice(0, 2), quantity));
      energies.filter((plane) => !alike.slice(0, 2).includes(plane)).forEach((plane) => found.push(choice([plane], plane.plane)));
    }
    planes.filter((plane) => plane.channels === 3).forEach((plane) => found.push(choice([plane], quantityOf(plane))));
  }
  return found;
}

/**
 * @param {any[]} planes
 * @param {string} quantity
 * @returns {Choice}
 */
function choice(planes, quantity) {
  const [{ view, pitch_mm: pitch, pitch_assumed: assumed }] = planes;
  const name = quantity === 'transmission' ? word('views', view) : `${word('views', view)}, ${word('quantities', quantity)}`;
  return { view, planes, name, pitch: pitch ?? null, pitchAssumed: assumed === true };
}

/** @param {any} plane */
const quantityOf = (plane) => plane.plane.split('/')[0];

/** High energy first: it goes through more. @param {any} plane */
const energy = (plane) => ['high', 'mono', 'low'].indexOf(plane.plane.split('/')[1]) + 1 || 9;

/**
 * Loads tiles of a scan's revision as samples in this machine's own byte order.
 * @param {string} site
 * @param {string} scanId
 * @param {number} revision
 * @param {string} view
 * @param {import('./tilestore.js').TileStore} store  of this revision
 * @returns {import('./viewer/tiles.js').LoadTile}
 */
/* eslint-disable-next-line max-params -- what names a tile, and where it is kept */
export function tileLoader(site, scanId, revision, view, store) {
  const base = `/api/scans/${path(site, scanId)}/r${revision}/tiles/${path(view)}`;
  return (plane, level, row, column, signal) => {
    const address = `${base}/${plane.plane.split('/').map(encodeURIComponent).join('/')}/${level}/${column}/${row}`;
    const fetched = async (/** @type {AbortSignal} */ given) => {
      const bytes = await getBytes(address, given);
      return plane.bits <= 8 ? new Uint8Array(bytes) : words(bytes);
    };
    return store.get(address, fetched, signal);
  };
}

/** @param {ArrayBuffer} bytes  unsigned 16 bit, little-endian */
function words(bytes) {
  if (new Uint8Array(new Uint16Array([1]).buffer)[0] === 1) return new Uint16Array(bytes);
  const from = new DataView(bytes);
  return Uint16Array.from({ length: bytes.byteLength / BYTES }, (_, at) => from.getUint16(at * BYTES, true));
}
