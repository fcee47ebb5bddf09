/**
 * What lies over a picture: the machine's boxes, what the officer marks as missed, the ruler, the heat map. All in canonical px.
 * @module
 */
import { drawLabels, widthOf } from './labels.js';
import { ol } from './library.js';

/**
 * @typedef {object} Mark
 * @property {string} id  of the finding and the box
 * @property {[number, number, number, number]} box  x0, y0, x1, y1, half-open
 * @property {string} name  word of the label
 * @property {number} score  0 to 1
 * @property {boolean} alerts
 * @property {boolean | null} agrees  the officer's word on it
 */

const COLOURS = { alert: '#ff5a47', other: '#ffc04d', disagreed: '#9aa5b1', missed: '#4fd6ff', ruler: '#7dff9b' };
const HALO = 'rgba(0, 0, 0, 0.85)';

export class Marks {
  /** @param {import('./picture.js').Picture} picture */
  constructor(picture) {
    this.picture = picture;
    /** @type {Mark[]} */
    this.marks = [];
    this.leastScore = 0;
    this.boxes = new ol.source.Vector();
    this.drawn = new ol.source.Vector();
    const over = (/** @type {any} */ source, /** @type {any} */ style) =>
      new ol.layer.Vector({ source, style, updateWhileInteracting: true, updateWhileAnimating: true });
    this.boxLayer = over(this.boxes, (/** @type {any} */ feature) => boxStyle(feature.get('mark')));
    this.drawnLayer = over(this.drawn, (/** @type {any} */ feature) =>
      framed(feature.get('ruler') ? COLOURS.ruler : COLOURS.missed, feature.get('ruler') ? undefined : MISSED_DASH),
    );
    picture.map.addLayer(this.boxLayer);
    picture.map.addLayer(this.drawnLayer);
    this.drawnLayer.on('postrender', (/** @type {any} */ event) => this.drawWords(event));
    /** @type {any} */
    this.heatLayer = null;
    /** @type {any} */
    this.tool = null;
  }

  /** @param {Mark[]} marks */
  setBoxes(marks) {
    this.marks = marks;
    this.drawBoxes();
  }

  /** @param {number} score  boxes below it are not drawn; what alerts always is */
  setLeastScore(score) {
    this.leastScore = score;
    this.drawBoxes();
  }

  drawBoxes() {
    this.boxes.clear(true);
    const drawn = this.marks
      .filter((mark) => mark.alerts || mark.score >= this.leastScore)
      .sort((one, other) => Number(other.alerts) - Number(one.alerts) || other.score - one.score); // the first have the best places
    this.boxes.addFeatures(
      drawn.map((mark) => new ol.Feature({ geometry: polygon(mark.box), mark, words: wordsOf(mark), colour: colourOf(mark) })),
    );
  }

  /**
   * The words of all boxes at once, over everything: so that they can make room for each other.
   * @param {any} event  of the library, with the canvas that was painted
   */
  drawWords({ context, frameState }) {
    const { coordinateToPixelTransform: toPixel, pixelRatio, size } = frameState;
    const shown = this.boxLayer.getVisible() ? this.boxes.getFeatures() : [];
    const labels = [...shown, ...this.drawn.getFeatures()]
      .filter((/** @type {any} */ feature) => feature.get('words'))
      .map((/** @type {any} */ feature) => {
        const [x0, y0, x1, y1] = feature.getGeometry().getExtent();
        const { words, colour } = feature.getProperties();
        const [left, top] = moved(toPixel, x0, y1);
        const [right, bottom] = moved(toPixel, x1, y0);
        return { box: [left, top, right, bottom], wide: widthOf(context, words), words, colour };
      });
    context.save();
    context.setTransform(pixelRatio, 0, 0, pixelRatio, 0, 0);
    drawLabels(context, labels, size[0], size[1]);
    context.restore();
  }

  /** @param {boolean} isShown */
  showBoxes(isShown) {
    this.boxLayer.setVisible(isShown);
  }

  /**
   * The mark under a place of the screen: the smallest, when several lie over each other.
   * @param {[number, number]} pixel
   * @returns {Mark | null}
   */
  markAt(pixel) {
    if (!this.boxLayer.getVisible()) return null;
    const [x, y] = this.picture.placeAt(pixel);
    const under = this.marks.filter(
      ({ box, alerts, score }) => (alerts || score >= this.leastScore) && x >= box[0] && x < box[2] && y >= box[1] && y < box[3],
    );
    return under.sort((one, other) => area(one.box) - area(other.box))[0] ?? null;
  }

  /**
   * Let the officer draw one box.
   * @returns {Promise<[number, number, number, number] | null>}  null when given up
   */
  drawBox() {
    return this.draw(
      new ol.interaction.Draw({
        type: 'Circle',
        freehand: true,
        geometryFunction: ol.interaction.Draw.createBox(),
        style: framed(COLOURS.missed, MISSED_DASH),
      }),
      (geometry) => {
        const [x0, y0, x1, y1] = geometry.getExtent();
        const { width, height } = this.picture;
        /** @type {[number, number, number, number]} */
        const box = [
          clamp(Math.floor(x0), width),
          clamp(Math.floor(-y1), height),
          clamp(Math.ceil(x1), width),
          clamp(Math.ceil(-y0), height),
        ];
        return box[2] > box[0] && box[3] > box[1] ? box : null;
      },
    );
  }

  /**
   * @param {(geometry: any) => any} read
   * @param {any} tool
   * @returns {Promise<any>}
   */
  draw(tool, read) {
    this.stopDrawing();
    return new Promise((resolve) => {
      this.tool = tool;
      this.giveUp = () => resolve(null);
      tool.on('drawend', (/** @type {any} */ event) => {
        const result = read(event.feature.getGeometry());
        this.giveUp = undefined;
        setTimeout(() => this.stopDrawing()); // the library is still inside its own handler
        resolve(result);
      });
      this.picture.map.addInteraction(tool);
    });
  }

  stopDrawing() {
    if (this.tool) this.picture.map.removeInteraction(this.tool);
    this.tool = null;
    this.giveUp?.();
    this.giveUp = undefined;
  }

  /**
   * @param {{box: [number, number, number, number], name: string}[]} missed
   */
  setMissed(missed) {
    this.drawn
      .getFeatures()
      .filter((/** @type {any} */ one) => !one.get('ruler'))
      .forEach((/** @type {any} */ one) => this.drawn.removeFeature(one));
    this.drawn.addFeatures(
      missed.map(({ box, name }) => new ol.Feature({ geometry: polygon(box), words: name, colour: COLOURS.missed })),
    );
  }

  /**
   * The ruler: a line from one point to another; drawn again, it begins anew.
   * @param {(px: [number, number]) => string} told  what stands beside it, of its length in px along x and y
   */
  async measure(told) {
    this.clearRuler();
    const tool = new ol.interaction.Draw({
      type: 'LineString',
      maxPoints: 2,
      style: (/** @type {any} */ feature) => (feature.getGeometry().getType() === 'LineString' ? rulerStyle(feature, told) : []),
    });
    const line = await this.draw(tool, (geometry) => geometry);
    if (!line) return;
    this.drawn.addFeature(new ol.Feature({ geometry: line, ruler: true, words: told(lengthOf(line)), colour: COLOURS.ruler }));
  }

  clearRuler() {
    this.drawn
      .getFeatures()
      .filter((/** @type {any} */ one) => one.get('ruler'))
      .forEach((/** @type {any} */ one) => this.drawn.removeFeature(one));
  }

  /** @param {HTMLCanvasElement | null} heat  what `heatCanvas` gave; it covers the whole view */
  setHeat(heat) {
    if (this.heatLayer) this.picture.map.removeLayer(this.heatLayer);
    this.heatLayer = null;
    if (!heat) return;
    const { width, height, frame, map } = this.picture;
    const extent = [0, -height, width, 0];
    const resolution = [width / heat.width, height / heat.height];
    const source = new ol.source.Image({
      projection: frame,
      interpolate: true,
      loader: () => Promise.resolve({ image: heat, extent, resolution, pixelRatio: 1 }),
    });
    this.heatLayer = new ol.layer.Image({ source, opacity: 0.75, extent });
    map.getLayers().insertAt(1, this.heatLayer);
  }

  close() {
    this.stopDrawing();
    this.boxes.clear(true);
    this.drawn.clear(true);
  }
}

/** @param {[number, number, number, number]} box */
const area = ([x0, y0, x1, y1]) => (x1 - x0) * (y1 - y0);

/**
 * @param {number} value
 * @param {number} most
 */
const clamp = (value, most) => Math.min(Math.max(value, 0), most);

/** @param {[number, number, number, number]} box */
function polygon([x0, y0, x1, y1]) {
  return new ol.geom.Polygon([
    [
      [x0, -y0],
      [x1, -y0],
      [x1, -y1],
      [x0, -y1],
      [x0, -y0],
    ],
  ]);
}

/**
 * A place of the map on the screen, CSS px.
 * @param {number[]} transform  a, b, c, d, e, f
 * @param {number} x
 * @param {number} y
 * @returns {[number, number]}
 */
const moved = ([a, b, c, d, e, f], x, y) => [a * x + c * y + e, b * x + d * y + f];

/** @type {Map<string, any>} */
const frames = new Map();
const DISAGREED_DASH = [6, 5];
const MISSED_DASH = [8, 4];

/**
 * A light line in a dark one: seen on steel and on air alike.
 * @param {string} colour
 * @param {number[]} [dash]
 */
function framed(colour, dash) {
  const key = `${colour} ${dash}`;
  const stroke = (/** @type {string} */ color, /** @type {number} */ width) =>
    new ol.style.Style({ stroke: new ol.style.Stroke({ color, width, lineDash: dash }) });
  const known = frames.get(key) ?? [stroke(HALO, 5), stroke(colour, 2)];
  frames.set(key, known);
  return known;
}

/** @param {Mark} mark */
const colourOf = ({ agrees, alerts }) => (agrees === false ? COLOURS.disagreed : alerts ? COLOURS.alert : COLOURS.other);

/** @param {Mark} mark */
const wordsOf = ({ agrees, name, score }) => `${name} ${score.toFixed(2)}${agrees === true ? ' ✓' : agrees === false ? ' ✗' : ''}`;

/** @param {Mark} mark */
const boxStyle = (mark) => framed(colourOf(mark), mark.agrees === false ? DISAGREED_DASH : undefined);

/** Of a ruler's line, px along x and y. @param {any} line @returns {[number, number]} */
function lengthOf(line) {
  const [[x0, y0], [x1, y1]] = line.getCoordinates();
  return [Math.abs(x1 - x0), Math.abs(y1 - y0)];
}

/**
 * The ruler while it is drawn, with its length so far.
 * @param {any} feature
 * @param {(px: [number, number]) => string} told
 */
function rulerStyle(feature, told) {
  const line = feature.getGeometry();
  const text = new ol.style.Text({
    text: told(lengthOf(line)),
    font: '600 13px system-ui, sans-serif',
    textBaseline: 'bottom',
    offsetY: -6,
    overflow: true,
    fill: new ol.style.Fill({ color: COLOURS.ruler }),
    stroke: new ol.style.Stroke({ color: HALO, width: 4 }),
  });
  const middle = new ol.geom.Point(ol.extent.getCenter(line.getExtent()));
  return [...framed(COLOURS.ruler), new ol.style.Style({ text, geometry: middle })];
}
