// Rank maps of all runs, small, under one colour scale; runs that differ in their seed alone stand together beside their mean.
import {mapGrid} from "../rankmap.js";
import {element, matrixLabel, rankColour, shapeWords} from "../theme.js";
import {HeatGrid, colourStrip} from "./heat_grid.js";
import {rankWord, ranksAt} from "./compared_run.js";
import {STATES, lights, swatch} from "./run_look.js";
import {saveButtons} from "./save.js";

const NAMES = 22; // pixels left of a map for the names of its layers
const TALLEST = 300;
const STEPS_OF_COLOUR = 10; // of one rank, for means

export class RankMaps {
  constructor(comparison) {
    this.comparison = comparison;
    this.note = element("span", {className: "tri-note"});
    this.scale = element("span", {className: "tri-scale"});
    const head = element("header", {}, element("h3", {}, "Rank of every matrix"), this.note, this.scale,
      ...saveButtons("rank-maps", comparison, () => this.tiles.map((tile) => ({svg: tile.grid.svg, title: tile.title.title, foot: tile.foot.textContent})), () => this.#table()));
    this.body = element("div", {className: "tri-tiles", tabIndex: 0, role: "group"});
    this.body.setAttribute("aria-label", "Rank maps; arrows move to a matrix, Enter pins it");
    this.tip = element("div", {className: "tri-tip", hidden: true});
    this.section = element("section", {className: "tri-panel tri-rank-maps", dataset: {testid: "rank-maps"}}, head, this.body, this.tip);
    this.tiles = [];
    this.body.addEventListener("pointermove", (event) => this.#move(event));
    this.body.addEventListener("pointerleave", () => this.#leave());
    this.body.addEventListener("click", (event) => {
      const tile = this.#tileOf(event);
      const place = HeatGrid.placeOf(event);
      if (tile && place) comparison.pin(tile.labelAt(place));
    });
    this.body.addEventListener("keydown", (event) => this.#key(event));
  }

  draw(reasons) {
    if (reasons.has("data")) this.#build();
    if (["data", "size"].some((reason) => reasons.has(reason))) this.#lay();
    if (["data", "size", "moment", "theme"].some((reason) => reasons.has(reason))) for (const tile of this.tiles) tile.paint();
    if (reasons.has("theme")) for (const tile of this.tiles) tile.dress();
    for (const tile of this.tiles) tile.mark();
    for (const tile of this.tiles) tile.node.classList.toggle("tri-lit", tile.one.id === this.comparison.lit);
    this.#describe();
  }

  #build() {
    const {comparison} = this;
    this.tiles = [];
    const blocks = [];
    let loose = null;
    comparison.members.forEach((members, group) => {
      if (members.length === 1) {
        if (!loose) blocks.push(loose = element("div", {className: "tri-tile-row"}));
        loose.append(this.#tile(members[0], members[0].label));
        return;
      }
      loose = null;
      const mean = comparison.means.find((one) => one.group === group);
      const seeds = members.map((run) => run.seed);
      const name = (run) => (seeds.filter((seed) => seed === run.seed).length > 1 ? run.label : `seed ${run.seed}`);
      const heading = lights(comparison, element("h4", {title: comparison.groups[group]}, swatch(comparison, members[0]), comparison.groups[group]), mean.id);
      blocks.push(element("div", {className: "tri-tile-block"}, heading,
        element("div", {className: "tri-tile-row"}, this.#tile(mean, `mean of ${members.length}`), ...members.map((run) => this.#tile(run, name(run))))));
    });
    this.body.replaceChildren(...blocks);
    const top = comparison.ceiling;
    this.colours = new Map();
    this.colour = (rank) => {
      const key = Math.round(rank * STEPS_OF_COLOUR);
      if (!this.colours.has(key)) this.colours.set(key, rankColour(key / STEPS_OF_COLOUR / top));
      return this.colours.get(key);
    };
    const parts = Math.min(top + 1, 12);
    const marks = Array.from({length: parts}, (_, i) => this.colour((i * top) / (parts - 1)));
    this.scale.replaceChildren(colourStrip(marks, "rank 0", String(top), `Ranks 0 to ${top}`));
  }

  #tile(one, title) {
    const tile = new Tile(this, one, title);
    this.tiles.push(tile);
    return tile.node;
  }

  // Few maps are large, many small: as wide as their columns need, and a height that keeps cells legible.
  #lay() {
    const {tiles} = this;
    const widest = Math.max(1, ...tiles.map((tile) => tile.grid.modules.length));
    const least = tiles.length <= 2 ? 420 : tiles.length <= 4 ? 200 : tiles.length <= 8 ? 170 : 128;
    this.body.style.setProperty("--tri-tile", `${Math.max(least, NAMES + 11 * widest)}px`);
    const widths = new Map();
    for (const tile of tiles) {
      const row = tile.node.parentElement;
      if (!widths.has(row)) widths.set(row, tile.node.clientWidth);
      tile.lay(widths.get(row), tiles.length);
    }
  }

  #tileOf(event) {
    const node = event.target.closest && event.target.closest(".tri-tile");
    return node ? this.tiles.find((tile) => tile.node === node) : null;
  }

  #move(event) {
    const tile = this.#tileOf(event);
    const place = HeatGrid.placeOf(event);
    this.comparison.light(tile ? tile.one.id : null);
    this.comparison.hover(tile && place ? tile.labelAt(place) : null);
    this.#tell(tile, place, event);
  }

  #leave() {
    this.comparison.light(null);
    this.comparison.hover(null);
    this.tip.hidden = true;
  }

  #tell(tile, place, event) {
    this.tip.hidden = !(tile && place);
    if (this.tip.hidden) return;
    this.tip.replaceChildren(...tile.words(place).flatMap((line, i) => [...(i ? [element("br")] : []), i ? line : element("b", {}, line)]));
    const box = this.section.getBoundingClientRect();
    const {width, height} = this.tip.getBoundingClientRect();
    const x = event.clientX - box.left;
    this.tip.style.left = `${Math.max(0, x + 14 + width > box.width ? x - width - 10 : x + 14)}px`;
    this.tip.style.top = `${event.clientY - box.top - (event.clientY > height + 90 ? height + 10 : -18)}px`;
  }

  #key(event) {
    const along = {ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowUp: [-1, 0], ArrowDown: [1, 0]}[event.key];
    const {comparison} = this;
    if (event.key === "Enter" && comparison.hovered) comparison.pin(comparison.hovered);
    if (event.key === "Escape" && comparison.pinned) comparison.pin(comparison.pinned);
    if (!along || !this.tiles.length) return;
    event.preventDefault();
    const {rows, modules} = this.tiles[0].grid;
    const [row, column] = this.tiles[0].placeOf(comparison.hovered || comparison.pinned) || [rows.length - 1, -along[1]];
    const next = [Math.max(0, Math.min(rows.length - 1, row + along[0])), Math.max(0, Math.min(modules.length - 1, column + along[1]))];
    comparison.hover(this.tiles[0].labelAt(next));
  }

  // What is saved as CSV: the rank of every matrix in every run at this moment.
  #table() {
    const {runs, moment} = this.comparison;
    const labels = [...new Set(runs.flatMap((run) => [...run.at.keys()]))];
    const ranks = runs.map((run) => ranksAt(run, moment));
    return [["matrix", ...runs.map((run) => run.label)], ...labels.map((label) => [label, ...runs.map((run, i) => (ranks[i] && run.at.has(label) ? ranks[i][run.at.get(label)] : ""))])];
  }

  #describe() {
    const {runs, pinned, hovered, moment} = this.comparison;
    const truth = runs.some((run) => run.planted && run.planted.some(Boolean));
    const label = hovered || pinned;
    const held = label ? runs.filter((run) => run.allotted && run.at.has(label)).map((run) => ranksAt(run, moment)?.[run.at.get(label)]).filter((rank) => rank !== undefined) : [];
    const words = held.length ? `${label}: rank ${Math.min(...held)} to ${Math.max(...held)} in ${held.length} run${held.length > 1 ? "s" : ""}` : "click a cell to pin its matrix everywhere";
    if (words === this.said && truth === this.truth) return;
    [this.said, this.truth] = [words, truth];
    this.note.replaceChildren(...(truth ? [element("i", {className: "tri-key"}), "planted; "] : []), words);
  }
}

class Tile {
  constructor(maps, one, title) {
    Object.assign(this, {maps, one, comparison: maps.comparison});
    const {layers, modules, index} = mapGrid(one.matrices);
    const rows = layers.map((layer) => `L${layer}`).reverse();
    this.grid = Object.assign(new HeatGrid(), {rows, modules});
    this.index = index.slice().reverse();
    this.title = element("span", {className: "tri-tile-name", title: one.name ? `${one.label}\n${one.name}\n${one.id}` : one.label}, title);
    this.mean = Boolean(one.runs);
    this.mark_ = element("span", {className: "tri-tile-mark"});
    this.foot = element("p", {className: "tri-tile-foot"});
    this.cellRank = element("b");
    this.where = element("span");
    this.foot.append(this.where, this.cellRank);
    this.node = element("figure", {className: `tri-tile${this.mean ? " tri-mean" : ""}`, dataset: {run: one.id}}, element("figcaption", {}, this.mark_, this.title), this.grid.svg, this.foot);
    lights(this.comparison, this.node.firstChild, one.id);
    this.dress();
  }

  // The swatch, where the tile stands for a run with a name of its own.
  dress() {
    const alone = !this.mean && this.comparison.members[this.one.group].length === 1;
    this.mark_.replaceChildren(...(alone ? [swatch(this.comparison, this.one)] : []));
  }

  lay(width, count) {
    const {rows, modules} = this.grid;
    const tall = count <= 4 ? Math.max(34, Math.min(56, 200 / rows.length)) : 22;
    const cell = Math.max(4, Math.min(tall, TALLEST / rows.length));
    this.grid.lay({rows, columns: modules, width, cell, left: NAMES, size: count <= 4 ? 13 : 11, present: (r, c) => this.index[r][c] >= 0});
    const planted = (run) => (r, c) => Boolean(run.planted && this.index[r][c] >= 0 && run.planted[this.index[r][c]]);
    const runs = this.mean ? this.one.runs : [this.one];
    this.grid.outline((r, c) => runs.every((run) => planted(run)(r, c)));
  }

  labelAt([row, column]) {
    const index = this.index[row][column];
    return index < 0 ? null : matrixLabel(this.one.matrices[index]);
  }

  placeOf(label) {
    const at = label === null ? undefined : this.one.at.get(label);
    if (at === undefined) return null;
    const row = this.index.findIndex((cells) => cells.includes(at));
    return [row, this.index[row].indexOf(at)];
  }

  paint() {
    const {moment} = this.comparison;
    this.ranks = ranksAt(this.one, moment);
    this.node.classList.toggle("tri-absent", !this.ranks);
    const digits = this.mean ? 1 : 0;
    if (this.ranks) this.grid.paint((r, c) => this.maps.colour(this.ranks[this.index[r][c]]), (r, c) => this.ranks[this.index[r][c]].toFixed(digits));
    const words = this.#where(moment);
    if (this.where.textContent !== words) this.where.textContent = words;
  }

  #where(moment) {
    if (!this.ranks) return "never there";
    const total = this.ranks.reduce((sum, rank) => sum + rank, 0);
    if (this.mean) {
      const there = this.one.runs.filter((run) => run.standing(moment)).length;
      return `${rankWord(this.one)} ${Number(total.toFixed(1))}${there < this.one.runs.length ? ` · ${there} there` : ""}`;
    }
    const {state} = this.one.standing(moment);
    const since = state ? `since ${this.one.events[state - 1]}` : "from the start";
    const going = STATES[this.one.state];
    return `${rankWord(this.one)} ${total} · ${going ? `${going}, ` : ""}${since}`;
  }

  mark() {
    const {hovered, pinned} = this.comparison;
    if (this.marked !== `${hovered} ${pinned} ${this.grid.key}`) {
      this.marked = `${hovered} ${pinned} ${this.grid.key}`;
      this.grid.mark("hovered", this.placeOf(hovered));
      this.grid.mark("pinned", this.placeOf(pinned));
    }
    const at = this.one.at.get(hovered || pinned);
    const text = at === undefined || !this.ranks ? "" : this.mean ? this.ranks[at].toFixed(1) : String(this.ranks[at]);
    if (this.cellRank.textContent !== text) this.cellRank.textContent = text;
  }

  // What the mouse says at a cell.
  words([row, column]) {
    const index = this.index[row][column];
    const matrix = this.one.matrices[index];
    const rank = this.ranks ? this.ranks[index] : null;
    const runs = this.mean ? this.one.runs : [this.one];
    const planted = runs.every((run) => run.planted) ? [...new Set(runs.map((run) => run.planted[index]))] : [];
    return [
      `${matrixLabel(matrix)} · ${this.one.label}`,
      rank === null ? "never there" : `${rankWord(this.one)} ${this.mean ? rank.toFixed(1) : rank} (${shapeWords(matrix)})${planted.length ? `, planted ${planted.length > 1 ? "differs by seed" : planted[0]}` : ""}`,
      matrix.name,
    ];
  }
}
