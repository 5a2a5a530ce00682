// The rank map: one heatmap a run, rows are layers from the bottom, columns the places in a block, one colour scale.
import {cellText, paintUsed, usedNote} from "./used_rank.js";
import {keepChoice} from "./board_view.js";
import {usedAt} from "./effective.js";
import {Pace} from "./pace.js";
import {drawWhole, isOver} from "./parts.js";
import {PLANTED_COLOUR, RANK_SCALE, brightness, chartAxis, chartConfig, chartLayout, chartSection, element, matrixLabel, rankColour, shapeWords, sharedWords, tidy} from "./theme.js";

const MODULE_ORDER = ["qkv", "q", "k", "v", "o", "gate_up", "gate", "up", "down"];
const MAP_LEFT = 30;
const MAP_RIGHT = 6;
const MAP_TOP = 20;
const MAP_BOTTOM = 18;
const MAP_MARGIN = {l: 4, r: 52, t: 4, b: 4};
const FEW_CELLS = 60;
const MAP_SMALL = 18; // pixels of a cell in which broad marks would hide the colour
const SETTLE_MS = 250;

// Rows and columns of a run's matrices: {layers, modules, index: 2-D array of matrix indices or -1}.
export function mapGrid(matrices) {
  const layers = [...new Set(matrices.map((m) => m.layer))].sort((a, b) => a - b);
  const place = (name) => (MODULE_ORDER.indexOf(name) + 1 || MODULE_ORDER.length + 1);
  const modules = [...new Set(matrices.map((m) => m.module))].sort((a, b) => place(a) - place(b));
  const index = layers.map(() => modules.map(() => -1));
  matrices.forEach((m, i) => { index[layers.indexOf(m.layer)][modules.indexOf(m.module)] = i; });
  return {layers, modules, index};
}

// Top of the colour scale: twice the average rank of the budget, or the highest rank seen. Known from the start, so that
// colours keep their meaning while a run grows.
export function rankCeiling(runs) {
  let top = 1;
  const allotted = runs.filter((run) => run.started && !run.measured); // an effective rank may be as large as the matrix
  for (const run of allotted.length ? allotted : runs) {
    if (run.started) top = Math.max(top, Math.ceil((2 * run.started.target_total) / Math.max(1, run.size)));
    for (const rank of run.startRanks) top = Math.max(top, rank);
    for (const event of run.events) top = Math.max(top, highestRank(event));
  }
  return top;
}

// Ticks of the scale. What is above its top, effective ranks, has the colour of the top, and the last tick says so.
function rankTicks(top, runs) {
  const above = runs.some((run) => run.measured) && runs.some((run) => run.started && !run.measured);
  const every = Math.max(1, Math.ceil(top / 8));
  if (!above) return {dtick: every, tickformat: "d"};
  const values = Array.from({length: Math.floor(top / every)}, (_, i) => i * every).filter((value) => top - value >= every / 2);
  return {tickvals: [...values, top], ticktext: [...values.map(String), `${top}+`]};
}

const highest = new WeakMap(); // asked for at every refresh, of all events

function highestRank(event) {
  if (!highest.has(event)) highest.set(event, event.ranks.reduce((top, rank) => Math.max(top, rank), 0));
  return highest.get(event);
}

export class RankMap {
  constructor(board) {
    this.board = board;
    Object.assign(this, chartSection("rank-map", "Rank of every matrix"));
    this.numbers = null; // null: numbers where they fit; true or false once the visitor chose
    this.toggle = element("button", {className: "tri-small", type: "button", title: "Show or hide the numbers"}, "123");
    this.toggle.addEventListener("click", () => {
      this.numbers = !this.textSize;
      board.touch("numbers");
      board.view.changed();
    });
    this.used = false; // whether the rank that dW uses stands beside the rank it was given
    this.usedToggle = element("button", {className: "tri-small", type: "button", title: "Rank and how much of it is used: singular values that carry 99 % of the energy of dW"}, "used");
    this.usedToggle.addEventListener("click", () => {
      this.used = !this.used;
      board.touch("numbers");
      board.view.changed();
    });
    this.head.append(this.usedToggle, this.toggle);
    keepChoice(board, "numbers", this, "numbers", [true, false]);
    keepChoice(board, "used", this, "used", [true, false]);
    this.overlay = element("div", {className: "tri-overlay"});
    this.canvas = element("canvas", {className: "tri-draft"});
    this.useCanvas = element("canvas", {className: "tri-draft", hidden: true});
    this.holder.append(this.canvas, this.useCanvas, this.overlay);
    // Plotly tells of no end of hovering when the mouse leaves right after a click.
    this.holder.addEventListener("mouseleave", () => board.hover(null));
    this.shown = [];
    this.drafted = false;
    this.settling = 0;
    this.cost = 0;
    this.holder.addEventListener("pointerenter", () => { if (this.drafted) board.touch("look"); });
  }

  get numbersShown() {
    return this.numbers ?? this.board.runs.every((run) => run.size <= FEW_CELLS);
  }

  draw(reasons) {
    const whole = ["size", "theme", "numbers"].some((reason) => reasons.has(reason)) || (reasons.has("data") && this.#outdated());
    if (whole || !this.box.data) drawWhole(this, () => this.#drawAll());
    else if (reasons.has("settle") || (this.drafted && ["hover", "look"].some((reason) => reasons.has(reason)))) this.#drawRanks();
    else if (reasons.has("step") || reasons.has("data")) this.#draft();
    if (whole || reasons.has("hover") || reasons.has("pin")) this.#drawMarks();
    this.#describe();
  }

  // While a drawing has to wait, cells are painted.
  glance() {
    if (this.box.data && this.#key() === this.key) this.#draft();
  }

  // What all of the map depends on, beside the cells' values.
  #key() {
    const {runs} = this.board;
    return JSON.stringify([rankCeiling(runs), this.numbersShown, runs.map((run) => [run.id, run.generation, run.size])]);
  }

  #outdated() {
    const key = this.#key();
    const outdated = key !== this.key;
    this.key = key;
    return outdated;
  }

  // Where the maps stand, in pixels of the box: as many columns as make the cells largest.
  #arrange() {
    const {clientWidth: width, clientHeight: height} = this.box;
    const runs = this.board.runs.filter((run) => run.size);
    const grids = runs.map((run) => mapGrid(run.started.matrices));
    const wide = Math.max(1, ...grids.map((grid) => grid.modules.length));
    const high = Math.max(1, ...grids.map((grid) => grid.layers.length));
    const inner = {w: width - MAP_MARGIN.l - MAP_MARGIN.r, h: height - MAP_MARGIN.t - MAP_MARGIN.b};
    let best = {score: -1, columns: 1};
    for (let columns = 1; columns <= runs.length; columns += 1) {
      const rows = Math.ceil(runs.length / columns);
      const cell = {
        w: (inner.w / columns - MAP_LEFT - MAP_RIGHT) / wide, h: (inner.h / rows - MAP_TOP - MAP_BOTTOM) / high,
      };
      const score = Math.min(cell.w / 1.25, cell.h);
      if (score > best.score) best = {score, columns, rows, cell};
    }
    const rows = best.rows || 1;
    this.cell = best.cell || {w: 20, h: 20};
    this.maps = runs.map((run, i) => {
      const x0 = ((i % best.columns) * inner.w) / best.columns + MAP_LEFT;
      const x1 = ((i % best.columns) + 1) * (inner.w / best.columns) - MAP_RIGHT;
      const y0 = (Math.floor(i / best.columns) * inner.h) / rows + MAP_TOP;
      const y1 = (Math.floor(i / best.columns) + 1) * (inner.h / rows) - MAP_BOTTOM;
      return {run, grid: grids[i], x0, x1, y0, y1};
    });
    this.inner = inner;
  }

  #values(map) {
    const ranks = map.run.ranksAt(this.board.step);
    return map.grid.index.map((row) => row.map((i) => (i < 0 ? null : ranks[i])));
  }

  // What the cells of a run depend on: its newest event, and its newest geometry where use is shown.
  #state(run) {
    const found = this.used ? usedAt(run, this.board.step) : null;
    return `${run.eventAt(this.board.step)} ${found ? found.t : ""}`;
  }

  #texts({run, grid}) {
    const text = cellText(run, this.board.step, this.used);
    return grid.index.map((row) => row.map((i) => (i < 0 ? "" : text(i))));
  }

  #hover(map) {
    const {run, grid} = map;
    const found = usedAt(run, this.board.step);
    const ranks = run.ranksAt(this.board.step);
    const at = run.eventAt(this.board.step);
    const scores = at < 0 ? null : run.events[at].scores;
    const use = (i) => (found && !run.measured && found.used[i] !== null ? `, ${found.used[i]} used after ${found.t} steps` : "");
    return grid.index.map((row) => row.map((i) => {
      if (i < 0) return "";
      const m = run.started.matrices[i];
      const score = scores && scores.length ? `<br>importance ${tidy(scores[i])}` : "";
      const planted = m.planted === null ? "" : `<br>planted rank ${m.planted}`;
      return `<b>${matrixLabel(m)}</b> ${run.started.label}<br>${run.measured ? "effective rank" : "rank"} ${ranks[i]}${use(i)}${sharedWords(run, i)} (${shapeWords(m)})${score}${planted}`
        + `<br><i>${m.name}</i>`;
    }));
  }

  #drawAll() {
    const {theme, Plotly} = this.board;
    this.#arrange();
    const size = Math.max(8, Math.min(13, this.cell.h - 4, this.cell.w / (this.used ? 2.2 : 1.6)));
    const fits = this.cell.h >= 11 && this.cell.w >= (this.used ? 24 : 0);
    const numbers = this.used ? fits && this.numbers !== false : this.numbersShown && (this.numbers || fits);
    this.useBars = this.used && !numbers;
    this.toggle.setAttribute("aria-pressed", String(Boolean(numbers)));
    this.usedToggle.setAttribute("aria-pressed", String(this.used));
    const layout = chartLayout(theme, this.box, MAP_MARGIN);
    layout.annotations = [];
    layout.dragmode = false;
    const top = rankCeiling(this.board.runs);
    this.top = top;
    this.textSize = numbers ? size : 0;
    layout.coloraxis = {
      colorscale: RANK_SCALE, cmin: 0, cmax: top,
      colorbar: {
        thickness: 10, len: 0.9, x: 1.005, xpad: 4, ypad: 0, outlinewidth: 0, ...rankTicks(top, this.board.runs),
        tickfont: {size: 11, color: theme.quiet}, title: {text: "rank", font: {size: 11, color: theme.quiet}},
      },
    };
    const traces = this.maps.map((map, i) => this.#trace(map, i, layout, numbers ? size : 0));
    Plotly.react(this.box, [...traces, ...this.maps.map((map, i) => this.#planted(map, i))], layout, chartConfig("rank-map", false));
    if (!this.bound) {
      this.bound = true;
      const label = (event) => this.board.labelAt(this.maps[event.points[0].curveNumber], event.points[0].pointNumber);
      this.box.on("plotly_hover", (event) => this.board.hover(label(event)));
      this.box.on("plotly_unhover", () => this.board.hover(null));
      this.box.on("plotly_click", (event) => this.board.pin(label(event), this.maps[event.points[0].curveNumber].run.id));
    }
    this.#settled();
  }

  #trace(map, i, layout, size) {
    const {theme} = this.board;
    const suffix = i ? String(i + 1) : "";
    const {run, grid, inner = this.inner} = map;
    const every = Math.max(1, Math.ceil(grid.layers.length / Math.max(1, (map.y1 - map.y0) / 15)));
    const rows = grid.layers.map((_, row) => row).filter((row) => row % every === 0);
    const narrow = this.cell.w < 30;
    layout[`xaxis${suffix}`] = chartAxis(theme, {
      domain: [map.x0 / inner.w, map.x1 / inner.w], anchor: `y${suffix}`, fixedrange: true, showgrid: false,
      range: [-0.5, grid.modules.length - 0.5], tickvals: grid.modules.map((_, column) => column),
      ticktext: narrow ? grid.modules.map((name) => (name.length > 2 ? `${name.slice(0, 2)}` : name)) : grid.modules,
      tickangle: 0,
    });
    layout[`yaxis${suffix}`] = chartAxis(theme, {
      domain: [1 - map.y1 / inner.h, 1 - map.y0 / inner.h], anchor: `x${suffix}`, fixedrange: true, showgrid: false,
      range: [-0.5, grid.layers.length - 0.5], tickvals: rows, ticktext: rows.map((row) => `L${grid.layers[row]}`),
    });
    layout.annotations.push({
      text: `<b>${run.started.label}</b>${run.measured ? " · effective rank" : ""}`, showarrow: false, xref: "paper", yref: "paper", xanchor: "left", yanchor: "bottom",
      x: map.x0 / inner.w, y: 1 - map.y0 / inner.h, font: {size: 12, color: theme.text}, borderpad: 1,
    });
    return {
      type: "heatmap", z: this.#values(map), hovertext: this.#hover(map), hoverinfo: "text", coloraxis: "coloraxis",
      xaxis: `x${suffix}`, yaxis: `y${suffix}`, xgap: 1, ygap: 1, text: this.#texts(map), texttemplate: size ? "%{text}" : "", textfont: {size: size || 10},
    };
  }

  // Outlines of a map's planted cells as one line: a shape a cell would cost more than the heatmap at every redraw.
  #planted({run, grid}, i) {
    const suffix = i ? String(i + 1) : "";
    const x = [];
    const y = [];
    grid.index.forEach((cells, row) => cells.forEach((index, column) => {
      if (index < 0 || !run.started.matrices[index].planted) return;
      x.push(column - 0.45, column + 0.45, column + 0.45, column - 0.45, column - 0.45, null);
      y.push(row - 0.43, row - 0.43, row + 0.43, row + 0.43, row - 0.43, null);
    }));
    return {
      type: "scatter", mode: "lines", x, y, xaxis: `x${suffix}`, yaxis: `y${suffix}`, hoverinfo: "skip",
      line: {color: PLANTED_COLOUR, width: 2}, name: "planted rank",
    };
  }

  // While the scrubber moves or a run goes on, cells are painted on a canvas above the chart (under a millisecond); the chart
  // itself, whose redraw costs a hundred times that, takes over when the scrubber rests and where the mouse is.
  #draft() {
    const now = this.maps.map((map) => this.#state(map.run));
    const same = now.every((at, i) => at === (this.painted || this.shown)[i]);
    if (same) return;
    this.painted = now;
    this.drafted = true;
    clearTimeout(this.settling);
    const goesOn = this.board.following && !this.board.runs.every(isOver) && !this.holder.matches(":hover");
    this.settling = goesOn ? setTimeout(() => this.board.touch("settle"), Math.max(SETTLE_MS, Pace.apart(this.cost)))
      : setTimeout(() => this.board.touch("settle", "hand"), SETTLE_MS);
    const brush = this.#brush(this.canvas);
    brush.textAlign = "center";
    brush.textBaseline = "middle";
    brush.font = `${this.textSize}px ${this.board.theme.font}`;
    for (const map of this.maps) this.#paint(brush, map);
    this.#paintUse();
  }

  // A canvas over the chart, empty.
  #brush(canvas) {
    const scale = window.devicePixelRatio || 1;
    canvas.hidden = false;
    canvas.width = this.box.clientWidth * scale;
    canvas.height = this.box.clientHeight * scale;
    const brush = canvas.getContext("2d");
    brush.scale(scale, scale);
    return brush;
  }

  #paintUse() {
    this.useCanvas.hidden = !this.useBars;
    if (this.useBars) paintUsed(this.#brush(this.useCanvas), this.maps, this.board.step, MAP_MARGIN);
  }

  #paint(brush, {run, grid, x0, x1, y0, y1}) {
    const ranks = run.ranksAt(this.board.step);
    const text = cellText(run, this.board.step, this.used);
    const w = (x1 - x0) / grid.modules.length;
    const h = (y1 - y0) / grid.layers.length;
    grid.index.forEach((cells, row) => cells.forEach((index, column) => {
      if (index < 0) return;
      const left = MAP_MARGIN.l + x0 + column * w;
      const top = MAP_MARGIN.t + y1 - (row + 1) * h;
      const fill = rankColour(ranks[index] / this.top);
      brush.fillStyle = fill;
      brush.fillRect(left + 0.5, top + 0.5, w - 1, h - 1);
      if (run.started.matrices[index].planted) {
        brush.strokeStyle = PLANTED_COLOUR;
        brush.lineWidth = 2;
        brush.strokeRect(left + 0.05 * w, top + 0.07 * h, 0.9 * w, 0.86 * h);
      }
      if (!this.textSize) return;
      brush.fillStyle = brightness(fill) < 150 ? "#ffffff" : "#222222";
      brush.fillText(text(index), left + w / 2, top + h / 2);
    }));
  }

  // The chart shows what is true now: drafts go.
  #settled() {
    clearTimeout(this.settling);
    this.drafted = false;
    this.painted = null;
    this.canvas.hidden = true;
    this.#paintUse();
    this.shown = this.maps.map((map) => this.#state(map.run));
  }

  #drawRanks() {
    const changed = [];
    this.maps.forEach((map, i) => { if (this.#state(map.run) !== this.shown[i]) changed.push(i); });
    if (changed.length) drawWhole(this, () => this.board.Plotly.restyle(this.box, {
      z: changed.map((i) => this.#values(this.maps[i])), hovertext: changed.map((i) => this.#hover(this.maps[i])),
      text: changed.map((i) => this.#texts(this.maps[i])),
    }, changed));
    this.#settled();
  }

  // Pinned and hovered cells are outlined by plain elements above the chart: no redraw.
  #drawMarks() {
    const marks = [];
    for (const [label, kind] of [[this.board.pinned, "pinned"], [this.board.hovered, "hovered"]]) {
      if (!label) continue;
      for (const map of this.maps) {
        const at = map.run.started.matrices.findIndex((m) => matrixLabel(m) === label);
        if (at < 0) continue;
        const row = map.grid.index.findIndex((cells) => cells.includes(at));
        const column = map.grid.index[row].indexOf(at);
        const w = (map.x1 - map.x0) / map.grid.modules.length;
        const h = (map.y1 - map.y0) / map.grid.layers.length;
        const small = Math.min(w, h) < MAP_SMALL ? " tri-thin" : "";
        const planted = map.run.started.matrices[at].planted ? " tri-planted" : "";
        const mark = element("div", {className: `tri-mark tri-${kind}${small}${planted}`});
        mark.style.left = `${MAP_MARGIN.l + map.x0 + column * w}px`;
        mark.style.top = `${MAP_MARGIN.t + map.y1 - (row + 1) * h}px`;
        mark.style.width = `${w}px`;
        mark.style.height = `${h}px`;
        marks.push(mark);
      }
    }
    this.overlay.replaceChildren(...marks);
  }

  #describe() {
    const step = this.board.step;
    const sums = this.board.runs.filter((run) => run.size).map((run) => {
      const ranks = Array.from(run.ranksAt(step));
      return `${run.started.label} ${run.measured ? "has effective rank" : "holds rank"} ${ranks.reduce((a, b) => a + b, 0)} in ${ranks.length} matrices, at most ${Math.max(...ranks)}`;
    });
    const truth = this.board.runs.some((run) => run.started && run.started.matrices.some((m) => m.planted));
    this.note.replaceChildren(...(truth ? [element("i", {className: "tri-key"}), "planted rank; "] : []), this.used ? usedNote(this.board.runs, step, this.useBars) : "click a cell to pin it");
    this.describe(`Rank of every matrix at step ${step}: ${sums.join("; ")}.`);
  }
}
