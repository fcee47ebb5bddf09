/**
 * Which part of the depth is shown: found from the picture, or drawn with the right mouse button.
 * @module
 */

const ENDS = 0.004;
/** Share of the samples left out at each end: a few dead or saturated pixels do not set the window. */

/**
 * The window that shows all but the outermost samples.
 * @param {Uint16Array | Uint8Array} samples
 * @param {number} bits
 * @returns {{low: number, high: number}}
 */
export function autoWindow(samples, bits) {
  const counts = new Uint32Array(2 ** bits);
  for (const sample of samples) counts[sample] += 1;
  const out = samples.length * ENDS;
  let low = 0;
  for (let seen = counts[0]; seen <= out && low < counts.length - 1; seen += counts[low]) low += 1;
  let high = counts.length - 1;
  for (let seen = counts[high]; seen <= out && high > low + 1; seen += counts[high]) high -= 1;
  return { low, high: Math.max(high, low + 1) };
}

/**
 * Move and widen the window, within what the samples can be.
 * @param {{low: number, high: number}} window
 * @param {number} level  to move by, in samples
 * @param {number} width  factor on the width
 * @param {number} bits
 */
export function movedWindow({ low, high }, level, width, bits) {
  const most = 2 ** bits - 1;
  const wide = Math.min(most, Math.max(1, (high - low) * width));
  const middle = Math.min(most, Math.max(0, (low + high) / 2 + level));
  return { low: Math.round(middle - wide / 2), high: Math.round(middle - wide / 2) + Math.max(1, Math.round(wide)) };
}

/**
 * Right button (or shift and left): across = width, up and down = level.
 * @param {HTMLElement} target
 * @param {(level: number, width: number) => void} moved  shares of the present width, and a factor
 * @param {AbortSignal} signal
 */
export function listenWindowDrag(target, moved, signal) {
  target.addEventListener('contextmenu', (event) => event.preventDefault(), { signal });
  target.addEventListener(
    'pointerdown',
    (event) => {
      if (event.button !== 2 && !(event.button === 0 && event.shiftKey)) return;
      event.preventDefault();
      event.stopPropagation();
      target.setPointerCapture(event.pointerId);
      const move = (/** @type {PointerEvent} */ at) => moved(at.movementY / 250, Math.exp(at.movementX / 200));
      target.addEventListener('pointermove', move, { signal });
      target.addEventListener('pointerup', () => target.removeEventListener('pointermove', move), { once: true, signal });
    },
    { signal, capture: true },
  );
}
