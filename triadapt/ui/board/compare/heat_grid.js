// A grid of coloured cells in plain SVG: a rank map, a difference, a table of correlations. Plotly would take a tenth of a
// second for each of two dozen of them.
import {brightness, element} from "../theme.js";

const NS = "http://www.w3.org/2000/svg";
const escape = (text) => String(text).replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`);

export class HeatGrid {
  constructor() {
    this.svg = document.createElementNS(NS, "svg");
    this.svg.setAttribute("class", "tri-heat");
    this.svg.setAttribute("aria-hidden", "true");
    this.key = "";
  }

  // rows, columns: their names, rows from the top. width: of the whole picture in pixels. cell: height of a row. left: room for
  // the names of the rows. texts: whether numbers may be written where they fit. present(row, column): whether there is a cell.
  lay({rows, columns, width, cell, left = 24, size = 11, texts = true, present = () => true}) {
    const key = JSON.stringify([rows, columns, width, cell, left, size, texts]);
    if (key === this.key) return;
    this.key = key;
    const w = Math.max(2, (width - left - 1) / Math.max(1, columns.length));
    Object.assign(this, {rows, columns, left, w, h: cell});
    const height = cell * rows.length + (columns.length ? 15 : 1);
    this.texts = texts && w >= 15 && cell >= 11;
    const gap = Math.min(1, w / 6, cell / 6);
    const cells = [];
    const words = [];
    rows.forEach((_, r) => columns.forEach((__, c) => {
      if (!present(r, c)) return;
      const [x, y] = [left + c * w, r * cell];
      cells.push(`<rect data-at="${r},${c}" x="${n(x + gap / 2)}" y="${n(y + gap / 2)}" width="${n(w - gap)}" height="${n(cell - gap)}"/>`);
      if (this.texts) words.push(`<text data-at="${r},${c}" x="${n(x + w / 2)}" y="${n(y + cell / 2)}"/>`);
    }));
    const every = Math.max(1, Math.ceil(12 / cell));
    const names = rows.map((name, r) => ((rows.length - 1 - r) % every ? "" : `<text x="${left - 4}" y="${n((r + 0.5) * cell)}">${escape(name)}</text>`));
    const short = (name) => (name.length * 6 <= w ? name : name.slice(0, w >= 12 ? 2 : 1));
    const below = columns.map((name, c) => `<text x="${n(left + (c + 0.5) * w)}" y="${n(rows.length * cell + 8)}">${escape(w < 6 ? "" : short(name))}</text>`);
    Object.entries({width, height, viewBox: `0 0 ${width} ${height}`}).forEach(([name, value]) => this.svg.setAttribute(name, value));
    this.svg.innerHTML = `<g class="tri-cells">${cells.join("")}</g><path class="tri-truth"/><path class="tri-truth tri-other"/>`
      + `<g class="tri-cell-texts" font-size="${Math.max(8, Math.min(size, cell - 3, w / 1.5))}">${words.join("")}</g>`
      + `<g class="tri-names" font-size="10" text-anchor="end">${names.join("")}</g><g class="tri-names" font-size="10" text-anchor="middle">${below.join("")}</g>`
      + '<rect class="tri-cell-pinned"/><rect class="tri-cell-pinned tri-inner"/><rect class="tri-cell-hovered"/>';
    this.cells = [...this.svg.querySelectorAll(".tri-cells > rect")];
    this.words = [...this.svg.querySelectorAll(".tri-cell-texts > text")];
    this.places = this.cells.map((cellNode) => cellNode.dataset.at.split(",").map(Number));
    this.fills = [];
    this.written = [];
  }

  // colour(row, column), text(row, column): of each cell. Only what changed is touched.
  paint(colour, text) {
    this.places.forEach(([r, c], i) => {
      const fill = colour(r, c);
      if (fill !== this.fills[i]) {
        this.cells[i].setAttribute("fill", fill);
        if (this.texts) this.words[i].setAttribute("fill", brightness(fill) < 150 ? "#ffffff" : "#222222");
        this.fills[i] = fill;
      }
      if (!this.texts) return;
      const word = text(r, c);
      if (word !== this.written[i]) {
        this.words[i].textContent = word;
        this.written[i] = word;
      }
    });
  }

  // Outlines the cells for which `inside(row, column)`; those of `other` are dotted.
  outline(inside, other = () => false) {
    const [own, second] = this.svg.querySelectorAll(".tri-truth");
    const path = (test, inset) => this.places.filter(([r, c]) => test(r, c)).map(([r, c]) =>
      `M${n(this.left + c * this.w + inset)} ${n(r * this.h + inset)}h${n(this.w - 2 * inset)}v${n(this.h - 2 * inset)}h${n(2 * inset - this.w)}z`).join("");
    own.setAttribute("d", path(inside, 1.5));
    second.setAttribute("d", path(other, 3.5));
  }

  // Frames a cell as pinned or hovered; null: none.
  mark(kind, place) {
    this.svg.querySelectorAll(`.tri-cell-${kind}`).forEach((frame, i) => {
      frame.style.display = place ? "" : "none";
      if (!place) return;
      const inset = i ? 2 : 0.5;
      const box = {x: this.left + place[1] * this.w + inset, y: place[0] * this.h + inset, width: Math.max(1, this.w - 2 * inset), height: Math.max(1, this.h - 2 * inset)};
      for (const [name, value] of Object.entries(box)) frame.setAttribute(name, n(value));
    });
  }

  // Row and column under a mouse event; null beside the cells.
  static placeOf(event) {
    const node = event.target.closest && event.target.closest("[data-at]");
    return node ? node.dataset.at.split(",").map(Number) : null;
  }
}

function n(value) {
  return Number(value.toFixed(2));
}

// A strip of colours with its ends named.
export function colourStrip(colours, low, high, title) {
  const strip = element("span", {className: "tri-strip-colours"}, ...colours.map((colour) => {
    const part = element("i");
    part.style.background = colour;
    return part;
  }));
  return element("span", {className: "tri-strip", title}, low, strip, high);
}
