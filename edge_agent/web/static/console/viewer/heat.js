/**
 * From a heat map (grey, 255 = strongest) to colours that let the picture show through.
 * @module
 */

const FROM = 64;
/** Heat below a quarter is not drawn: a breath of colour over everything would hide the picture. */

/**
 * @param {Blob} png
 * @returns {Promise<HTMLCanvasElement>}  in the heat map's own, coarse size
 */
export async function heatCanvas(png) {
  const bitmap = await createImageBitmap(png);
  const canvas = document.createElement('canvas');
  canvas.width = bitmap.width;
  canvas.height = bitmap.height;
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d', { willReadFrequently: true }));
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  const pixels = context.getImageData(0, 0, canvas.width, canvas.height);
  const { data } = pixels;
  for (let at = 0; at < data.length; at += 4) {
    const heat = data[at];
    data[at] = 255;
    data[at + 1] = Math.max(0, 200 - heat * 0.75);
    data[at + 2] = 0;
    data[at + 3] = heat < FROM ? 0 : Math.min(200, heat);
  }
  context.putImageData(pixels, 0, 0);
  return canvas;
}
