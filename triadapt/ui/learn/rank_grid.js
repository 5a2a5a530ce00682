// A small map of the matrices: rows are layers from the bottom, columns places in a block. For ranks, guesses and shares.
import {mapGrid} from "../board/rankmap.js";
import {PLANTED_COLOUR, brightness, matrixLabel, rankColour} from "../board/theme.js";
import {Picture, escape, n} from "./draw_svg.js";

// What a grid draws of a run's ranks at a step. `more`: what the lesson says otherwise.
export function rankCells(run, {step = Infinity, title = run?.called, top = 8, ...more} = {}) {
  if (!run?.started) return {matrices: []};
  const ranks = run.ranksAt(step);
  return {
    matrices: run.matrices, title, share: (i) => Math.min(1, ranks[i] / top), text: (i) => ranks[i], outlined: (i) => run.planted[i] > 0,
    tip: (i) => `rank ${ranks[i]}, needs ${run.planted[i]}`, note: `ranks ${ranks.join(", ")}`, ...more,
  };
}

export class RankGrid extends Picture {
  // of(): {matrices, title, value(i), text(i), share(i), outlined(i), picked(i), tip(i), note}; pick(i): when a cell is pressed.
  constructor(of, {pick = null, ...look} = {}) {
    super((width, theme) => this.#body(width, theme), {className: "ln-map", ...look});
    Object.assign(this, {of, pick});
    if (!pick) return;
    const chosen = (event) => {
      const cell = event.target.closest("[data-cell]");
      if (!cell) return;
      pick(Number(cell.dataset.cell));
      const again = this.node.querySelector(`[data-cell="${cell.dataset.cell}"]`);
      if (event.type === "keydown" && again) again.focus();
    };
    this.node.addEventListener("click", chosen);
    this.node.addEventListener("keydown", (event) => {
      if (event.key === " " || event.key === "Enter") {
        event.preventDefault();
        chosen(event);
      }
    });
  }

  #body(width, theme) {
    const {matrices, title = "", text = () => "", share, outlined = () => false, picked = () => false, tip = () => "", note = ""} = this.of();
    const {layers, modules, index} = mapGrid(matrices);
    const [left, top] = [30, title ? 26 : 6];
    const w = Math.min(74, (Math.min(width, 520) - left - 4) / modules.length);
    const h = Math.min(34, Math.max(20, w * 0.62));
    const cells = [];
    index.forEach((row, r) => row.forEach((i, c) => {
      if (i < 0) return;
      const [x, y] = [left + c * w, top + (layers.length - 1 - r) * h];
      const fill = share ? rankColour(share(i)) : theme.faint;
      const ink = share ? (brightness(fill) < 125 ? "#ffffff" : "#222222") : theme.text;
      const label = `${matrixLabel(matrices[i])}${tip(i) ? `: ${tip(i)}` : ""}`;
      const press = this.pick ? ` tabindex="0" role="checkbox" aria-checked="${picked(i)}" data-cell="${i}" class="press"` : ` data-at="${i}"`;
      cells.push(`<g${press} aria-label="${escape(label)}" data-tip="${escape(label)}"><rect x="${n(x + 1)}" y="${n(y + 1)}" width="${n(w - 2)}" height="${n(h - 2)}" rx="2" fill="${fill}"/>`
        + (picked(i) ? `<rect x="${n(x + 2.5)}" y="${n(y + 2.5)}" width="${n(w - 5)}" height="${n(h - 5)}" rx="2" fill="none" stroke="${theme.primary}" stroke-width="3"/>` : "")
        + (outlined(i) ? `<rect x="${n(x + 4)}" y="${n(y + 4)}" width="${n(w - 8)}" height="${n(h - 8)}" fill="none" stroke="${PLANTED_COLOUR}" stroke-width="2.4"/>` : "")
        + `<text x="${n(x + w / 2)}" y="${n(y + h / 2 + 4)}" text-anchor="middle" fill="${ink}" class="cell">${escape(text(i))}</text></g>`);
    }));
    const bottom = top + layers.length * h;
    const names = layers.map((layer, r) => `<text x="${left - 6}" y="${n(top + (layers.length - 1 - r) * h + h / 2 + 4)}" text-anchor="end" class="tick">L${layer}</text>`);
    const places = modules.map((name, c) => `<text x="${n(left + (c + 0.5) * w)}" y="${bottom + 14}" text-anchor="middle" class="tick">${escape(w < 29 ? name.slice(0, 2) : name)}</text>`);
    return {
      role: this.pick ? "group" : "img",
      height: bottom + 20,
      body: (title ? `<text x="${left}" y="17" class="title">${escape(title)}</text>` : "") + cells.join("") + names.join("") + places.join(""),
      label: `${title || "Map of the matrices"}${note ? `: ${note}` : ""}`,
    };
  }
}
