// One matrix: its importance against the threshold and the spectrum of its change over time, beside what stands between A and B.
import {chartAxis, chartConfig, chartLayout, chartSection, element, matrixLabel, methodColour, numberFormat, shapeWords, sharedWords, tidy} from "./theme.js";
import {keepChoice} from "./board_view.js";
import {corePicture} from "./core.js";
import {geometryAt, usedAt} from "./effective.js";
import {drawWhole, isOver, placeCursor, veilOver} from "./parts.js";
import {spectrumTraces} from "./spectrum.js";

const MATRIX_MARGIN = {l: 46, r: 6, t: 18, b: 22};
const MATRIX_SPLIT = [0.5, 0.64]; // where the charts over time end, and the core begins, as shares of the width
const MATRIX_UPPER = 0.6; // share of the height below the importance
const MATRIX_LOWER = 0.4; // up to which the spectrum stands
const MATRIX_ALONE = 0.88; // up to which it stands where nothing else is drawn
const MATRIX_WORDS = 205; // pixels that all the words above the importance take

// Where matrix `index` lies in a geometry record: [first, count] of its singular values, and of its core.
export function geometrySlices(record, index, kind) {
  let singular = 0;
  let core = 0;
  const coreSize = (rank) => (kind === "triangular" ? rank * rank : kind === "diagonal" ? rank : 0);
  for (let i = 0; i < index; i += 1) {
    singular += record.ranks[i];
    core += coreSize(record.ranks[i]);
  }
  const rank = record.ranks[index];
  return {rank, singular: record.singular.subarray(singular, singular + rank), core: record.core.subarray(core, core + coreSize(rank))};
}

export class MatrixPanel {
  constructor(board) {
    this.board = board;
    Object.assign(this, chartSection("matrix", "One matrix", "tri-split"));
    this.cursor = element("div", {className: "tri-cursor"});
    this.spectrumCursor = element("div", {className: "tri-cursor"});
    this.veil = veilOver(this);
    this.holder.append(this.cursor, this.spectrumCursor);
    this.overTime = true;
    this.toggle = element("button", {className: "tri-small", type: "button", title: "Singular values over all steps, or at this step"}, "over time");
    this.toggle.addEventListener("click", () => {
      this.overTime = !this.overTime;
      board.touch("spectrum");
      board.view.changed();
    });
    this.head.append(this.toggle);
    keepChoice(board, "spectrum", this, "overTime", [true, false]);
    this.key = null;
  }

  draw(reasons) {
    const {focus: run, step} = this.board;
    const label = this.board.hovered || this.board.pinned;
    const index = run && run.started && label ? run.started.matrices.findIndex((m) => matrixLabel(m) === label) : -1;
    if (index < 0) {
      this.holder.hidden = true;
      this.shown = null;
      this.note.textContent = "Click a cell of the rank map to see inside a matrix.";
      return;
    }
    this.holder.hidden = false;
    const at = geometryAt(run, step);
    const key = [run.id, run.version, run.scores.length, run.events.length, run.started.total_step, index, at, this.overTime, run.geometry.length].join(" ");
    if (key !== this.key || ["size", "theme"].some((reason) => reasons.has(reason))) {
      this.key = key;
      drawWhole(this, () => this.#react(run, index, at < 0 ? null : run.geometry[at]));
    }
    this.shown = {run, index, record: run.geometry[at]};
    this.glance();
  }

  // What costs little of a step, for when a drawing has to wait: what was measured at another moment is veiled.
  glance() {
    if (!this.shown) return;
    const {step} = this.board;
    const {run, index, record} = this.shown;
    this.veil.hidden = run.geometry[geometryAt(run, step)] === record;
    this.veil.style.left = this.hasSpectrum ? `${this.coreLeft}px` : "0";
    this.#moveCursor();
    const label = matrixLabel(run.started.matrices[index]);
    const rank = run.ranksAt(step)[index];
    const m = run.started.matrices[index];
    const planted = m.planted === null ? "" : m.planted ? `, planted ${m.planted}` : ", nothing planted";
    this.heading.textContent = `Matrix ${label}`;
    const used = this.#usedWords(usedAt(run, step), index) + sharedWords(run, index);
    this.note.textContent = `${run.started.label}, ${run.measured ? "effective " : ""}rank ${rank}${planted}${used}, ${shapeWords(m)}${label === this.board.pinned ? ", pinned" : ""}`;
    this.note.title = this.note.textContent;
    this.describe(`Matrix ${label} of ${run.started.label} at step ${step}: rank ${rank}${planted}${used}. ${this.spoken}`);
  }

  // How much of the rank is used, and of when that is known.
  #usedWords(found, index) {
    if (!found) return "";
    if (this.shown.run.measured) return `, measured after ${found.t} steps`;
    const used = found.used[index];
    return used === null ? `, used ? (changed since ${found.t})` : `, used ${used}`;
  }

  #importance(run, index) {
    const {theme} = this.board;
    const points = [...run.scores, ...run.events].filter((one) => one.scores.length).sort((a, b) => a.t - b.t);
    const grew = run.events.filter((event) => event.ranks[index] !== event.before[index]);
    const traces = [{
      type: "scatter", mode: "lines", x: points.map((p) => p.t), y: points.map((p) => p.scores[index]), name: "importance",
      line: {color: methodColour(run, theme), width: 1.8}, hovertemplate: "step %{x}: importance %{y:.3g}<extra></extra>",
    }, {
      type: "scatter", mode: "markers", x: grew.map((e) => e.t), y: grew.map((e) => e.scores[index]), name: "its rank changed",
      marker: {color: methodColour(run, theme), size: 8, symbol: grew.map((e) => (e.ranks[index] > e.before[index] ? "triangle-up" : "triangle-down"))},
      hovertext: grew.map((e) => `step ${e.t}: rank ${e.before[index]} → ${e.ranks[index]}`), hoverinfo: "text",
    }];
    const units = run.events.some((event) => event.units.length);
    if (run.events.length && !units) {
      traces.push({
        type: "scatter", mode: "lines", x: run.events.map((e) => e.t), y: run.events.map((e) => e.threshold), name: "threshold",
        line: {color: theme.quiet, width: 1.3, dash: "dot", shape: "hv"}, hovertemplate: "step %{x}: threshold %{y:.3g}<extra></extra>",
      });
    }
    return points.length ? traces : [];
  }

  #react(run, index, record) {
    const {theme, Plotly} = this.board;
    const part = record ? geometrySlices(record, index, run.started.core_kind) : null;
    const layout = chartLayout(theme, this.box, MATRIX_MARGIN);
    const inner = {w: layout.width - MATRIX_MARGIN.l - MATRIX_MARGIN.r, h: layout.height - MATRIX_MARGIN.t - MATRIX_MARGIN.b};
    const bare = run.started.core_kind === "none"; // nothing between A and B, and nothing decided: the spectrum alone
    this.split = bare ? [1, 1] : MATRIX_SPLIT;
    this.coreLeft = MATRIX_MARGIN.l + this.split[0] * inner.w;
    this.notes = [];
    const traces = [...this.#drawImportance(run, index, layout), ...this.#drawSpectrum(run, index, part, layout)];
    if (!bare) traces.push(...this.#drawCore(run, index, record, part, layout, inner));
    layout.annotations = this.notes;
    layout.uirevision = `${run.id} ${index}`;
    layout.bargap = 0.25;
    this.spoken = part ? `Singular values of its change after ${record.t} steps: ${Array.from(part.singular.subarray(0, 8), tidy).join(", ") || "none"}.` : "";
    Plotly.react(this.box, traces, layout, chartConfig("matrix"));
    if (this.bound) return;
    this.bound = true;
    this.box.on("plotly_relayout", () => this.#moveCursor());
  }

  // A title above a chart, its lower left corner in shares of the inner area.
  #title(text, x, y) {
    if (!text) return;
    this.notes.push({
      text, x, y, xref: "paper", yref: "paper", xanchor: "left", yanchor: "bottom", showarrow: false, font: {size: 11, color: this.board.theme.quiet}, borderpad: 1,
    });
  }

  // Words in place of a chart, around its middle.
  #instead(text, x, y) {
    this.notes.push({
      text, x, y, xref: "paper", yref: "paper", xanchor: "center", yanchor: "middle", showarrow: false, font: {size: 12, color: this.board.theme.quiet},
    });
  }

  #drawImportance(run, index, layout) {
    const {theme, total} = this.board;
    const traces = this.#importance(run, index);
    const [wide] = this.split;
    this.hasImportance = traces.length > 0;
    const dotted = traces.length > 2 && wide * layout.width > MATRIX_WORDS ? "; dotted: the threshold" : "";
    if (this.hasImportance) this.#title(`importance${dotted}`, 0, 1);
    else if (run.started.allocation === "fixed") this.#title(`${run.started.label} scores no matrix.`, 0, 1);
    else this.#instead(isOver(run) && !run.events.some((event) => event.late) ? "No importance was recorded." : "No importance yet.", wide / 2, 0.8);
    const values = traces.flatMap((trace) => trace.y.filter(Number.isFinite));
    layout.xaxis = chartAxis(theme, {
      range: [0, total], nticks: 5, domain: [0, wide], anchor: "y", visible: this.hasImportance, showticklabels: !this.#spectral(run), fixedrange: true,
    });
    layout.yaxis = chartAxis(theme, {
      domain: [MATRIX_UPPER, 1], nticks: 4, rangemode: "tozero", tickformat: numberFormat(values), exponentformat: "e", visible: this.hasImportance, fixedrange: true,
    });
    return traces;
  }

  // Whether the spectrum below shares the steps along x.
  #spectral(run) {
    return this.overTime && run.geometry.length > 1;
  }

  #drawSpectrum(run, index, part, layout) {
    const {theme, total} = this.board;
    const [wide] = this.split;
    const high = this.hasImportance || wide < 1 ? MATRIX_LOWER : MATRIX_ALONE;
    const spectrum = part ? Array.from(part.singular) : [];
    const lines = this.#spectral(run) ? spectrumTraces(run, index, theme, {xaxis: "x3", yaxis: "y3"}) : [];
    this.hasSpectrum = lines.length > 0;
    this.toggle.hidden = run.geometry.length < 2;
    this.toggle.setAttribute("aria-pressed", String(this.overTime));
    const bars = {
      type: "bar", x: spectrum.map((_, i) => i + 1), y: spectrum, xaxis: "x3", yaxis: "y3", marker: {color: methodColour(run, theme)},
      hovertemplate: "singular value %{x}: %{y:.3g}<extra></extra>",
    };
    const seen = this.hasSpectrum || spectrum.length > 0;
    if (seen) this.#title(`singular values of dW${this.hasSpectrum ? " over time" : ""}`, 0, high + 0.01);
    else this.#instead(isOver(run) ? "No spectrum." : "No spectrum yet.", wide / 2, high / 2);
    const along = this.hasSpectrum ? {range: [0, total], nticks: 5} : spectrum.length <= 12 ? {dtick: 1} : {nticks: 6};
    layout.xaxis3 = chartAxis(theme, {domain: [0, wide], anchor: "y3", showgrid: false, visible: seen, fixedrange: true, ...along});
    layout.yaxis3 = chartAxis(theme, {domain: [0, high], anchor: "x3", nticks: 4, rangemode: "tozero", tickformat: "~g", visible: seen, fixedrange: true});
    return this.hasSpectrum ? lines : spectrum.length ? [bars] : [];
  }

  #drawCore(run, index, record, part, layout, inner) {
    const {theme} = this.board;
    const left = this.split[1];
    const room = (1 - left) * inner.w;
    const picture = corePicture(run, index, record, part, theme, Math.min(room, inner.h));
    if (!picture) {
      this.#instead(part ? "Rank 0: nothing stands<br>between A and B." : "No geometry recorded<br>up to this step.", (left + 1) / 2, 0.5);
      for (const axis of ["xaxis2", "yaxis2"]) layout[axis] = {visible: false, domain: axis[0] === "x" ? [left, 1] : [0, 1], fixedrange: true};
      return [];
    }
    const [w, h] = picture.square ? [Math.min(1 - left, inner.h / inner.w), Math.min(1, room / inner.h)] : [1 - left, 1];
    this.#title(picture.title, left - 0.1, 1);
    if (picture.foot) this.notes.push({
      text: picture.foot, x: left, y: 1 - h, xref: "paper", yref: "paper", xanchor: "left", yanchor: "top", showarrow: false, font: {size: 11, color: theme.quiet}, borderpad: 1,
    });
    layout.xaxis2 = chartAxis(theme, {domain: [left, left + w], anchor: "y2", showgrid: false, fixedrange: true, ...picture.xaxis});
    layout.yaxis2 = chartAxis(theme, {domain: [1 - h, 1], anchor: "x2", fixedrange: true, ...picture.yaxis});
    return picture.traces;
  }

  #moveCursor() {
    placeCursor(this.cursor, this.box, this.board.step);
    placeCursor(this.spectrumCursor, this.box, this.board.step, ["xaxis3", "yaxis3"]);
    if (!this.hasImportance) this.cursor.hidden = true;
    if (!this.hasSpectrum) this.spectrumCursor.hidden = true;
  }
}
