// Who got rank when: every matrix by every rank event of the run in focus, in the colours of the rank map.
import {brightness, chartAxis, chartConfig, chartLayout, chartSection, element, labelWidth, matrixLabel, PLANTED_COLOUR, RANK_SCALE, rankColour, tidy} from "./theme.js";
import {decidingScores} from "./importance_series.js";
import {mapGrid, rankCeiling} from "./rankmap.js";
import {drawWhole, isOver, sayNothing} from "./parts.js";

const HISTORY_MARGIN = {l: 58, r: 52, t: 4, b: 34};
const HISTORY_LABEL = 11; // pixels a row needs for its name
const HISTORY_MARK = 7; // pixels of a cell that carries a triangle

// Matrices in the order of the rows, from the bottom: by layer, in it by place.
export function historyRows(matrices) {
  return mapGrid(matrices).index.flat().filter((i) => i >= 0);
}

export class HistoryPanel {
  constructor(board) {
    this.board = board;
    Object.assign(this, chartSection("history", "History"));
    this.overlay = element("div", {className: "tri-overlay"});
    this.column = element("div", {className: "tri-mark tri-column"});
    this.tip = element("div", {className: "tri-tip", hidden: true});
    this.holder.append(this.column, this.overlay, this.tip);
    this.key = null;
    this.rows = [];
    this.describe("Rank of every matrix at every rank event.");
  }

  draw(reasons) {
    const run = this.board.focus;
    const empty = this.#emptyWords(run);
    sayNothing(this, empty);
    if (empty) {
      this.key = null;
      this.note.textContent = "";
      this.tip.hidden = true;
      this.describe(`History at step ${this.board.step}: ${empty}`);
      return;
    }
    const key = [run.id, run.version, run.events.length, isOver(run), rankCeiling(this.board.runs)].join(" ");
    const whole = key !== this.key || ["size", "theme"].some((reason) => reasons.has(reason));
    this.key = key;
    if (whole) drawWhole(this, () => this.#drawAll(run));
    if (whole || ["hover", "pin"].some((reason) => reasons.has(reason))) this.#drawRows(run);
    if (!this.board.hovered) this.tip.hidden = true;
    this.#moveColumn(run);
    this.#explain(run);
  }

  // What costs little of a step, for when a drawing has to wait.
  glance() {
    const run = this.board.focus;
    if (this.key === null || run !== this.run) return;
    this.#moveColumn(run);
    this.#explain(run);
  }

  #emptyWords(run) {
    if (!run || !run.started) return "No run yet.";
    if (run.measured) return `${run.started.label} has no rank of its own: see the rank map for that of dW, as it was measured.`;
    if (run.started.allocation === "fixed") return `${run.started.label} never changes a rank: there is no history to show.`;
    if (run.events.length && run.events.every((event) => event.rule === "saved")) return "An adapter holds one state: there is no history to show.";
    if (run.events.length) return "";
    const first = run.started.planned[0];
    return first === undefined ? "No rank event, and none is planned." : `No rank event yet; the first is planned at step ${first}.`;
  }

  #drawAll(run) {
    const {theme, Plotly} = this.board;
    const {matrices} = run.started;
    this.run = run;
    this.rows = historyRows(matrices);
    const over = isOver(run);
    this.columns = 1 + (over ? run.events.length : Math.max(run.events.length, run.started.planned.length));
    this.left = Math.max(HISTORY_MARGIN.l, Math.min(130, 14 + labelWidth(run.started.matrices.map(matrixLabel))));
    const layout = chartLayout(theme, this.box, {...HISTORY_MARGIN, l: this.left});
    this.wide = layout.width - this.left - HISTORY_MARGIN.r;
    this.high = layout.height - HISTORY_MARGIN.t - HISTORY_MARGIN.b;
    this.cell = {w: this.wide / this.columns, h: this.high / this.rows.length};
    const top = rankCeiling(this.board.runs);
    const every = Math.max(1, Math.ceil(44 / this.cell.w));
    const shown = [0, ...run.events.map((_, i) => i + 1).filter((at) => at % every === 0)];
    layout.dragmode = false;
    layout.xaxis = chartAxis(theme, {
      range: [-0.5, this.columns - 0.5], fixedrange: true, showgrid: false, tickvals: shown, tickangle: 0,
      ticktext: shown.map((at) => (at ? String(run.events[at - 1].t) : "start")),
      title: {text: "rank events, by their step", font: {size: 11, color: theme.quiet}, standoff: 2},
    });
    layout.yaxis = chartAxis(theme, {range: [-0.5, this.rows.length - 0.5], fixedrange: true, showgrid: false, ticklabelstandoff: 7, ...this.#names(matrices)});
    layout.coloraxis = {
      colorscale: RANK_SCALE, cmin: 0, cmax: top,
      colorbar: {
        thickness: 10, len: 1, x: 1.005, xpad: 4, ypad: 0, outlinewidth: 0, dtick: Math.max(1, Math.ceil(top / 8)), tickformat: "d",
        tickfont: {size: 11, color: theme.quiet}, title: {text: "rank", font: {size: 11, color: theme.quiet}},
      },
    };
    const columns = [run.startRanks, ...run.events.map((event) => event.ranks)];
    const heat = {
      type: "heatmap", z: this.rows.map((i) => columns.map((ranks) => ranks[i])), coloraxis: "coloraxis", hoverinfo: "none",
      xgap: this.cell.w >= 5 ? 1 : 0, ygap: this.cell.h >= 4 ? 1 : 0, // in smaller cells gaps would hide the colours
    };
    layout.shapes = this.#planted(matrices);
    this.marked = this.cell.w >= HISTORY_MARK && this.cell.h >= HISTORY_MARK;
    Plotly.react(this.box, [heat, this.#layers(matrices), this.#changes(run, top)], layout, {
      ...chartConfig("history"), modeBarButtons: [["toImage"]],
    });
    this.#bind();
  }

  // Names at the axis: of every matrix if they fit, else of layers.
  #names(matrices) {
    if (this.cell.h >= HISTORY_LABEL) {
      return {tickvals: this.rows.map((_, row) => row), ticktext: this.rows.map((i) => matrixLabel(matrices[i]))};
    }
    const layers = [...new Set(this.rows.map((i) => matrices[i].layer))];
    const places = layers.map((layer) => {
      const own = this.rows.map((i, row) => (matrices[i].layer === layer ? row : -1)).filter((row) => row >= 0);
      return (own[0] + own[own.length - 1]) / 2;
    });
    const every = Math.max(1, Math.ceil((14 * layers.length) / this.high));
    const kept = layers.map((_, i) => i).filter((i) => i % every === 0);
    return {tickvals: kept.map((i) => places[i]), ticktext: kept.map((i) => `L${layers[i]}`)};
  }

  // A line between layers.
  #layers(matrices) {
    const ends = this.rows.map((_, row) => row).filter((row) => row && matrices[this.rows[row]].layer !== matrices[this.rows[row - 1]].layer);
    return {
      type: "scatter", mode: "lines", hoverinfo: "skip", line: {color: this.board.theme.background, width: this.cell.h >= 6 ? 3 : this.cell.h >= 3 ? 2 : 0},
      x: ends.flatMap(() => [-0.5, this.columns - 0.5, null]), y: ends.flatMap((row) => [row - 0.5, row - 0.5, null]),
    };
  }

  // Bars beside the rows of planted matrices.
  #planted(matrices) {
    const rows = this.rows.map((_, row) => row).filter((row) => matrices[this.rows[row]].planted);
    return rows.map((row) => ({
      type: "rect", xref: "paper", x0: -6 / this.wide, x1: -2 / this.wide, yref: "y", y0: row - 0.42, y1: row + 0.42,
      fillcolor: PLANTED_COLOUR, line: {width: 0},
    }));
  }

  // Triangles where a rank changed, as long as cells have room for them.
  #changes(run, top) {
    const x = [];
    const y = [];
    const symbol = [];
    const color = [];
    if (this.marked) {
      run.events.forEach((event, at) => this.rows.forEach((i, row) => {
        if (event.ranks[i] === event.before[i]) return;
        x.push(at + 1);
        y.push(row);
        symbol.push(event.ranks[i] > event.before[i] ? "triangle-up" : "triangle-down");
        color.push(brightness(rankColour(event.ranks[i] / top)) < 130 ? "#ffffff" : "#1a1a1a");
      }));
    }
    const size = Math.max(4, Math.min(8, 0.55 * Math.min(this.cell.w, this.cell.h)));
    return {type: "scatter", mode: "markers", x, y, hoverinfo: "skip", marker: {symbol, color, size}};
  }

  #bind() {
    if (this.bound) return;
    this.bound = true;
    const at = (event) => {
      const point = event.points.find((one) => one.data.type === "heatmap");
      return point ? {row: point.pointNumber[0], column: point.pointNumber[1]} : null;
    };
    this.box.on("plotly_hover", (event) => {
      const place = at(event);
      if (!place) return;
      this.board.hover(matrixLabel(this.run.started.matrices[this.rows[place.row]]));
      this.#showTip(place);
    });
    this.box.on("plotly_unhover", () => {
      this.tip.hidden = true;
      this.board.hover(null);
    });
    this.box.on("plotly_click", (event) => {
      const place = at(event);
      if (!place) return;
      this.board.pin(matrixLabel(this.run.started.matrices[this.rows[place.row]]), this.run.id);
      this.board.scrub(place.column ? this.run.events[place.column - 1].t : 0);
    });
  }

  #showTip({row, column}) {
    const {run} = this;
    const index = this.rows[row];
    const matrix = run.started.matrices[index];
    const lines = [`${matrixLabel(matrix)}, ${column ? `step ${run.events[column - 1].t}` : "start"}`];
    if (!column) lines.push(`rank ${run.startRanks[index]}`);
    else {
      const event = run.events[column - 1];
      const [from, to] = [event.before[index], event.ranks[index]];
      lines.push(from === to ? `stays at rank ${to}` : `rank ${from} → ${to}`);
      if (event.scores.length) {
        const what = event.units.length ? `weakest ${this.run.unit}` : "importance";
        lines.push(`${what} ${tidy(decidingScores(event)[index])}, threshold ${tidy(event.threshold)}`);
      }
    }
    if (matrix.planted) lines.push(`planted rank ${matrix.planted}`);
    this.tip.replaceChildren(element("b", {}, lines[0]), ...lines.slice(1).flatMap((line) => [element("br"), line]));
    this.tip.hidden = false;
    const x = this.left + (column + 0.5) * this.cell.w;
    const y = HISTORY_MARGIN.t + (this.rows.length - row - 0.5) * this.cell.h;
    const {offsetWidth: wide, offsetHeight: high} = this.tip;
    const left = x + 14 + wide > this.box.clientWidth ? x - 14 - wide : x + 14;
    this.tip.style.left = `${Math.max(0, left)}px`;
    this.tip.style.top = `${Math.max(0, Math.min(this.box.clientHeight - high, y - high / 2))}px`;
  }

  // The rows of the pinned and the hovered matrix: outlined, and named where the axis has no room for all names.
  #drawRows(run) {
    const marks = [];
    for (const [label, kind] of [[this.board.pinned, "pinned"], [this.board.hovered, "hovered"]]) {
      const row = label ? this.rows.findIndex((i) => matrixLabel(run.started.matrices[i]) === label) : -1;
      if (row < 0) continue;
      const high = Math.max(3, this.cell.h);
      const middle = HISTORY_MARGIN.t + (this.rows.length - row - 0.5) * this.cell.h;
      const mark = element("div", {className: `tri-mark tri-lane tri-lane-${kind}`});
      Object.assign(mark.style, {
        left: `${this.left}px`, width: `${this.wide}px`, top: `${middle - high / 2}px`, height: `${high}px`,
      });
      const name = element("div", {className: `tri-mark tri-lane-name tri-lane-${kind}-name`}, label);
      Object.assign(name.style, {width: `${this.left - 9}px`, top: `${Math.max(0, Math.min(this.box.clientHeight - 16, middle - 8))}px`});
      marks.push(mark, name);
    }
    this.overlay.replaceChildren(...marks);
  }

  #moveColumn(run) {
    const at = run.eventAt(this.board.step) + 1;
    Object.assign(this.column.style, {
      transform: `translateX(${(this.left + at * this.cell.w).toFixed(1)}px)`, width: `${Math.max(2, this.cell.w).toFixed(1)}px`,
      top: `${HISTORY_MARGIN.t}px`, height: `${this.high}px`,
    });
  }

  #explain(run) {
    const at = run.eventAt(this.board.step);
    const planted = run.started.matrices.some((m) => m.planted) ? [element("i", {className: "tri-bar-key"}), "planted; "] : [];
    const marks = this.marked ? "▲ gained, ▼ lost rank; " : "";
    this.note.replaceChildren(`${run.started.label}; `, ...planted, `${marks}click a cell to go there`);
    const event = run.events[at];
    const moved = event ? event.ranks.reduce((sum, rank, i) => sum + (rank !== event.before[i] ? 1 : 0), 0) : 0;
    const what = event ? `event ${at + 1} of ${run.events.length}, ${moved} of ${this.rows.length} matrices changed rank` : "before the first rank event";
    this.describe(`History of ${run.started.label} at step ${this.board.step}: ${what}.`);
  }
}
