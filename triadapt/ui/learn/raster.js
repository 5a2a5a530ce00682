// A table of numbers as a picture on a canvas, dark for low; pixels stay pixels.
import {element, rankColour} from "../board/theme.js";

export class Raster {
  // label: what it shows, for those who cannot see it.
  constructor(label, {signed = false} = {}) {
    this.canvas = element("canvas", {className: "ln-raster", role: "img"});
    this.canvas.setAttribute("aria-label", label);
    this.signed = signed;
    this.caption = element("figcaption");
    this.node = element("figure", {className: "ln-figure"}, this.canvas, this.caption);
  }

  // rows: arrays of numbers; `low` and `high` are the ends of the scale.
  draw(rows, low, high, caption = "") {
    const [height, width] = [rows.length, rows[0].length];
    Object.assign(this.canvas, {width, height});
    const brush = this.canvas.getContext("2d");
    const image = brush.createImageData(width, height);
    rows.forEach((row, i) => row.forEach((value, j) => {
      const share = Math.max(0, Math.min(1, (value - low) / (high - low || 1)));
      const [r, g, b] = this.signed ? signedColour(share) : [share * 255, share * 255, share * 255];
      image.data.set([r, g, b, 255], 4 * (i * width + j));
    }));
    brush.putImageData(image, 0, 0);
    this.canvas.style.aspectRatio = `${width} / ${height}`;
    if (caption) this.caption.textContent = caption;
  }
}

const parts = Array.from({length: 65}, (_, i) => rankColour(i / 64).match(/[\d.]+/g).map(Number));
const signedColour = (share) => parts[Math.round(share * 64)];
