/**
 * The tiles of one scan that were fetched, so that going back over a picture, another energy or an edge asks the site for nothing twice.
 * They live as long as the scan is on the screen: the browser itself keeps no picture beyond the session.
 * @module
 */

const MOST_BYTES = 64 << 20;

/**
 * @typedef {Uint16Array | Uint8Array} Samples
 * @typedef {{promise: Promise<Samples>, stop: AbortController, waiting: number}} Coming  `waiting`: how many still want it
 */

export class TileStore {
  /** @param {number} [most]  bytes kept; the tile that was not wanted for longest goes first */
  constructor(most = MOST_BYTES) {
    this.most = most;
    this.bytes = 0;
    /** @type {Map<string, Samples>} in the order in which they were wanted last */
    this.kept = new Map();
    /** @type {Map<string, Coming>} */
    this.coming = new Map();
  }

  /**
   * @param {string} name  of the tile
   * @param {(signal: AbortSignal) => Promise<Samples>} fetched  asked when it is not here; given up once nobody wants it any more
   * @param {AbortSignal} [signal]
   * @returns {Promise<Samples>}  shared: not to be changed
   */
  async get(name, fetched, signal) {
    const kept = this.kept.get(name);
    if (kept !== undefined) {
      this.kept.delete(name);
      this.kept.set(name, kept);
      return kept;
    }
    const coming = this.coming.get(name) ?? this.begin(name, fetched);
    coming.waiting += 1;
    return new Promise((resolve, reject) => {
      const leave = () => {
        coming.waiting -= 1;
        if (coming.waiting === 0) coming.stop.abort();
        reject(signal?.reason);
      };
      if (signal?.aborted) return void leave();
      signal?.addEventListener('abort', leave, { once: true });
      coming.promise.then(resolve, reject).finally(() => signal?.removeEventListener('abort', leave));
      return undefined;
    });
  }

  /**
   * @param {string} name
   * @param {(signal: AbortSignal) => Promise<Samples>} fetched
   * @returns {Coming}
   */
  begin(name, fetched) {
    const stop = new AbortController();
    const over = () => this.coming.get(name) === coming && this.coming.delete(name);
    stop.signal.addEventListener('abort', over); // who wants it next begins anew
    const promise = fetched(stop.signal)
      .then((samples) => {
        if (!stop.signal.aborted) this.keep(name, samples);
        return samples;
      })
      .finally(over);
    const coming = { promise, stop, waiting: 0 };
    this.coming.set(name, coming);
    return coming;
  }

  /**
   * @param {string} name
   * @param {Samples} samples
   */
  keep(name, samples) {
    this.kept.set(name, samples);
    this.bytes += samples.byteLength;
    for (const [oldest, { byteLength }] of this.kept) {
      if (this.bytes <= this.most) return;
      this.kept.delete(oldest);
      this.bytes -= byteLength;
    }
  }

  /** Let everything go, also what is still on its way. */
  close() {
    [...this.coming.values()].forEach(({ stop }) => stop.abort());
    this.kept.clear();
    this.bytes = 0;
  }
}
