/**
 * Which page the address names.
 * @module
 */

/** @param {...string} parts */
export function go(...parts) {
  location.hash = `#/${parts.map(encodeURIComponent).join('/')}`;
}

/** @returns {string[]} */
export const here = () => location.hash.replace(/^#\/?/, '').split('/').map(decodeURIComponent);
