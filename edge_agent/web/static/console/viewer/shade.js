/**
 * From samples to what is seen: window and level, gamma, edges, pseudo-colour and the mix of two energies, as expressions that the
 * library compiles to a shader. Moving a slider changes a variable of the shader only; samples stay as they came.
 * @module
 */

/**
 * @typedef {object} Shade
 * @property {number} low  the sample that is black (white when inverted)
 * @property {number} high  the sample that is white
 * @property {number} gamma  1 = straight; above 1 shows more in the dark
 * @property {boolean} invert
 * @property {number} edges  0 = none, up to 4
 * @property {string} palette  a key of PALETTES
 * @property {number} mix  share of the second energy, 0 to 1
 */

/** Colours at equal steps from the darkest to the brightest sample. */
export const PALETTES = Object.freeze({
  grey: [
    [0, 0, 0],
    [255, 255, 255],
  ],
  // dark blue, violet, orange, yellow, white: brightness rises all the way, so that no step is invented
  heat: [
    [4, 4, 22],
    [62, 16, 98],
    [136, 34, 106],
    [205, 66, 71],
    [246, 124, 24],
    [252, 196, 56],
    [252, 255, 190],
  ],
  // dark violet, blue, green, yellow
  depth: [
    [62, 4, 80],
    [66, 62, 132],
    [46, 108, 142],
    [34, 150, 136],
    [74, 194, 106],
    [170, 220, 52],
    [253, 231, 55],
  ],
  // many hues: neighbouring densities are told apart best, brightness means nothing
  bands: [
    [0, 0, 0],
    [40, 0, 160],
    [0, 110, 220],
    [0, 190, 140],
    [120, 210, 0],
    [250, 220, 0],
    [250, 110, 0],
    [220, 0, 60],
    [255, 255, 255],
  ],
});

/**
 * @param {number} bits  8 or 16
 * @returns {Shade}
 */
export function plainShade(bits) {
  return { low: 0, high: 2 ** bits - 1, gamma: 1, invert: false, edges: 0, palette: 'grey', mix: 0 };
}

/**
 * The variables of the shader. Inverting swaps the ends of the window, which is exact.
 * @param {Shade} shade
 */
export function variables(shade) {
  const [low, high] = shade.invert ? [shade.high, shade.low] : [shade.low, shade.high];
  return { low, high: high === low ? low + 1e-3 : high, exponent: 1 / shade.gamma, edges: shade.edges, mix: shade.mix };
}

/**
 * The style of the layer. Only what is switched on is computed.
 * @param {Shade} shade
 * @param {number} bands  1 grey, 2 energies, 3 colours as the vendor drew them
 */
export function style(shade, bands) {
  if (bands === 3) return { color: vendorColour(shade), variables: variables(shade) };
  const sample = shade.edges > 0 ? sharpened(shade, bands) : mixed(shade, bands, 0, 0);
  const straight = ['clamp', ['/', ['-', sample, ['var', 'low']], ['-', ['var', 'high'], ['var', 'low']]], 0, 1];
  const grey = shade.gamma === 1 ? straight : ['^', straight, ['var', 'exponent']];
  const colours = PALETTES[/** @type {keyof typeof PALETTES} */ (shade.palette)] ?? PALETTES.grey;
  const stops = colours.flatMap((colour, at) => [at / (colours.length - 1), colour]);
  return { color: ['interpolate', ['linear'], grey, ...stops], variables: variables(shade) };
}

/**
 * Whether two shades need different programs, or only different variables.
 * @param {Shade} one
 * @param {Shade} other
 */
export function needsOtherProgram(one, other) {
  const kind = (/** @type {Shade} */ shade) => [shade.palette, shade.edges > 0, shade.gamma === 1, shade.mix > 0].join();
  return kind(one) !== kind(other);
}

function mixed(shade, bands, dx, dy) {
  const first = dx || dy ? ['band', 1, dx, dy] : ['band', 1];
  if (bands < 2 || shade.mix === 0) return first;
  const second = dx || dy ? ['band', 2, dx, dy] : ['band', 2];
  return ['+', ['*', first, ['-', 1, ['var', 'mix']]], ['*', second, ['var', 'mix']]];
}

/** The sample plus what it differs from its four neighbours (unsharp mask with the 4-neighbour Laplacian). */
function sharpened(shade, bands) {
  const around = [
    [0, -1],
    [0, 1],
    [-1, 0],
    [1, 0],
  ].map(([dx, dy]) => mixed(shade, bands, dx, dy));
  const here = mixed(shade, bands, 0, 0);
  return ['+', here, ['*', ['var', 'edges'], ['-', here, ['/', ['+', ...around], 4]]]];
}

/** A colour picture of the vendor's: shown as it is, only window and gamma apply. */
function vendorColour(shade) {
  const channel = (/** @type {number} */ band) => {
    const straight = ['clamp', ['/', ['-', ['band', band], ['var', 'low']], ['-', ['var', 'high'], ['var', 'low']]], 0, 1];
    return ['*', 255, shade.gamma === 1 ? straight : ['^', straight, ['var', 'exponent']]];
  };
  return ['color', channel(1), channel(2), channel(3), 1];
}
