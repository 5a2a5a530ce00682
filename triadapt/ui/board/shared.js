// Factors that several matrices share, each drawn once with its users: a small map of the model for every group.
import {mapGrid} from "./rankmap.js";
import {element, matrixLabel, methodColour} from "./theme.js";

const SVG = "http://www.w3.org/2000/svg";
const CELL = 11; // pixels of a matrix in a map

export class SharedPanel {
  constructor(board) {
    this.board = board;
    this.list = element("div", {className: "tri-shared-list"});
    this.note = element("span", {className: "tri-note"});
    const head = element("header", {}, element("h3", {}, "Shared factors"), this.note);
    this.section = element("section", {className: "tri-panel tri-shared", dataset: {testid: "shared"}}, head, this.list);
    this.section.hidden = true;
  }

  draw() {
    const runs = this.board.runs.filter((run) => run.started && (run.started.shared || []).some((group) => group.length > 1));
    this.section.hidden = !runs.length;
    const marked = this.board.hovered || this.board.pinned;
    const key = [marked, this.board.theme.dark, ...runs.map((run) => [run.id, run.generation, run.started.label])].join(" ");
    if (key === this.key) return;
    this.key = key;
    this.note.textContent = "drawn once, with the matrices that use them; click one to pin it";
    this.list.replaceChildren(...runs.flatMap((run) => run.started.shared.filter((group) => group.length > 1).map((group, i) => this.#group(run, group, i, marked))));
  }

  #group(run, group, number, marked) {
    const {matrices} = run.started;
    const shapes = [...new Set(group.map((i) => matrices[i].shape.join(" × ")))];
    const own = shapes.length === 1 ? `for ${shapes[0]}` : "for all shapes, cut to each";
    const text = `${run.started.label}: one A and one B ${own}, used by ${group.length} of ${matrices.length} matrices`;
    const map = this.#map(run, group, marked);
    map.setAttribute("aria-label", `${text}: ${group.map((i) => matrixLabel(matrices[i])).join(", ")}`);
    return element("figure", {className: "tri-shared-group", dataset: {group: `${run.id} ${number}`}}, map, element("figcaption", {}, text));
  }

  #map(run, group, marked) {
    const {matrices} = run.started;
    const {layers, modules, index} = mapGrid(matrices);
    const svg = document.createElementNS(SVG, "svg");
    svg.setAttribute("width", modules.length * CELL);
    svg.setAttribute("height", layers.length * CELL);
    svg.setAttribute("role", "img");
    index.forEach((row, y) => row.forEach((i, x) => {
      if (i < 0) return;
      const cell = document.createElementNS(SVG, "rect");
      const label = matrixLabel(matrices[i]);
      const place = {x: x * CELL + 0.5, y: (layers.length - 1 - y) * CELL + 0.5, width: CELL - 1, height: CELL - 1};
      for (const [name, value] of Object.entries(place)) cell.setAttribute(name, value);
      cell.setAttribute("fill", group.includes(i) ? methodColour(run, this.board.theme) : this.board.theme.grid);
      if (label === marked) {
        cell.setAttribute("stroke", this.board.theme.text);
        cell.setAttribute("stroke-width", 2);
      }
      const title = document.createElementNS(SVG, "title");
      title.textContent = `${label}${group.includes(i) ? "" : ": not among its users"}`;
      cell.append(title);
      cell.addEventListener("click", () => this.board.pin(label, run.id));
      svg.append(cell);
    }));
    return svg;
  }
}
