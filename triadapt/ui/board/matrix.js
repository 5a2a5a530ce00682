// One matrix over time: its importance against the threshold, what stands between A and B, the spectrum of its change.
import {chartAxis, chartConfig, chartLayout, chartSection, element, matrixLabel, methodColour, tidy} from "./theme.js";
import {lastAtOrBefore} from "./frames.js";
import {placeCursor} from "./parts.js";
import {spectrumTraces} from "./spectrum.js";
import {usedAt} from "./effective.js";

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
    this.holder.append(this.cursor, this.spectrumCursor);
    this.overTime = true;
    this.toggle = element("button", {className: "tri-small", type: "button", title: "Singular values over all steps, or at this step"}, "over time");
    this.toggle.addEventListener("click", () => {
      this.overTime = !this.overTime;
      board.touch("spectrum");
    });
    this.head.append(this.toggle);
    this.key = null;
  }

  draw(reasons) {
    const {focus: run, step} = this.board;
    const label = this.board.hovered || this.board.pinned;
    const index = run && run.started && label ? run.started.matrices.findIndex((m) => matrixLabel(m) === label) : -1;
    if (index < 0) {
      this.holder.hidden = true;
      this.note.textContent = "Click a cell of the rank map to see inside a matrix.";
      return;
    }
    this.holder.hidden = false;
    const at = lastAtOrBefore(run.geometry, step);
    const key = [run.id, run.version, run.scores.length, run.events.length, run.started.total_step, index, at, this.overTime, run.geometry.length].join(" ");
    if (key !== this.key || ["size", "theme"].some((reason) => reasons.has(reason))) {
      this.key = key;
      this.#react(run, index, at < 0 ? null : run.geometry[at]);
    }
    this.#moveCursor();
    const rank = run.ranksAt(step)[index];
    const m = run.started.matrices[index];
    const planted = m.planted === null ? "" : m.planted ? `, planted rank ${m.planted}` : ", nothing planted";
    this.heading.textContent = `Matrix ${label}`;
    const used = this.#usedWords(usedAt(run, step), index);
    this.note.textContent = `${run.started.label}, rank ${rank}${used}${planted}, ${m.shape.join(" × ")}${label === this.board.pinned ? ", pinned" : ""}`;
    this.describe(`Matrix ${label} of ${run.started.label} at step ${step}: rank ${rank}${used}${planted}. ${this.spoken}`);
  }

  // How much of the rank is used, and of when that is known.
  #usedWords(found, index) {
    if (!found) return "";
    const used = found.used[index];
    return used === null ? `, used ? (changed since step ${found.t})` : `, used ${used}`;
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

  #core(run, part) {
    const {theme} = this.board;
    const kind = run.started.core_kind;
    if (!part || !part.core.length) return null;
    const values = Array.from(part.core);
    const most = Math.max(1e-12, ...values.map(Math.abs));
    const axes = {xaxis: "x2", yaxis: "y2"};
    if (kind === "diagonal") {
      return {
        type: "bar", x: values.map((_, i) => i + 1), y: values, marker: {color: values.map((v) => (v < 0 ? "#B2182B" : "#2166AC"))},
        hovertemplate: "E[%{x}] = %{y:.3g}<extra></extra>", ...axes,
      };
    }
    const z = [];
    for (let row = 0; row < part.rank; row += 1) z.push(values.slice(row * part.rank, (row + 1) * part.rank));
    return {
      type: "heatmap", z, zmin: -most, zmax: most, zmid: 0, xgap: 1, ygap: 1, showscale: false,
      colorscale: [[0, "#B2182B"], [0.5, theme.dark ? "#30333b" : "#f7f7f7"], [1, "#2166AC"]],
      x: z.map((_, i) => i + 1), y: z.map((_, i) => i + 1), hovertemplate: "row %{y}, column %{x}: %{z:.3g}<extra></extra>",
      texttemplate: part.rank <= 4 ? "%{z:.2g}" : "", textfont: {size: 10}, ...axes,
    };
  }

  #react(run, index, record) {
    const {theme, Plotly} = this.board;
    const kind = run.started.core_kind;
    const part = record ? geometrySlices(record, index, kind) : null;
    const layout = chartLayout(theme, this.box, {l: 46, r: 12, t: 18, b: 22});
    const traces = this.#importance(run, index);
    const notes = [];
    const note = (text, x, y, anchor) => notes.push({
      text, x, y, xref: "paper", yref: "paper", xanchor: anchor || "left", yanchor: "bottom", showarrow: false,
      font: {size: 11, color: theme.quiet}, borderpad: 1,
    });
    const empty = (text, x, y) => notes.push({
      text, x, y, xref: "paper", yref: "paper", xanchor: "center", yanchor: "middle", showarrow: false, font: {size: 12, color: theme.quiet},
    });
    const hasImportance = traces.length > 0;
    note(hasImportance ? "importance; dotted: the threshold" : "", 0, 1);
    if (!hasImportance) empty(run.started.allocation === "fixed" ? `${run.started.label} scores no matrix.` : "No importance yet.", 0.5, 0.8);
    layout.xaxis = chartAxis(theme, {range: [0, this.board.total], nticks: 7, domain: [0, 1], anchor: "y", visible: hasImportance});
    layout.yaxis = chartAxis(theme, {
      domain: [0.6, 1], nticks: 4, rangemode: "tozero", tickformat: "~g", exponentformat: "power", visible: hasImportance,
    });
    const core = this.#core(run, part);
    const title = kind === "triangular" ? "L + U, between A and B" : kind === "diagonal" ? "diagonal E, between A and B" : "";
    if (core) traces.push(core);
    note(core ? title : "", 0, 0.41);
    if (!core) {
      const none = kind === "none" ? `${run.started.label} has nothing<br>between A and B.` : "No geometry recorded<br>up to this step.";
      empty(none, 0.21, 0.2);
    }
    const few = part && part.rank <= 12;
    const integers = few ? {dtick: 1} : {nticks: 6};
    layout.xaxis2 = chartAxis(theme, {domain: [0, 0.42], anchor: "y2", showgrid: false, visible: Boolean(core), fixedrange: true, ...integers});
    layout.yaxis2 = chartAxis(theme, {
      domain: [0, 0.4], anchor: "x2", visible: Boolean(core), fixedrange: true, showgrid: kind === "diagonal",
      ...(kind === "triangular" ? {autorange: "reversed", ...integers} : {nticks: 4, tickformat: "~g"}),
    });
    const spectrum = part ? Array.from(part.singular) : [];
    const overTime = this.overTime ? spectrumTraces(run, index, theme, {xaxis: "x3", yaxis: "y3"}) : [];
    this.hasSpectrum = overTime.length > 0;
    this.toggle.hidden = run.geometry.length < 2;
    this.toggle.setAttribute("aria-pressed", String(this.overTime));
    if (this.hasSpectrum) {
      traces.push(...overTime);
      note("singular values of dW over time", 0.56, 0.41);
    } else if (spectrum.length) {
      traces.push({
        type: "bar", x: spectrum.map((_, i) => i + 1), y: spectrum, xaxis: "x3", yaxis: "y3", marker: {color: methodColour(run, theme)},
        hovertemplate: "singular value %{x}: %{y:.3g}<extra></extra>",
      });
      note("singular values of dW", 0.56, 0.41);
    } else empty("No spectrum yet.", 0.78, 0.2);
    const seen = spectrum.length > 0 || this.hasSpectrum;
    const along = this.hasSpectrum ? {range: [0, this.board.total], nticks: 5} : integers;
    layout.xaxis3 = chartAxis(theme, {domain: [0.56, 1], anchor: "y3", showgrid: false, visible: seen, fixedrange: true, ...along});
    layout.yaxis3 = chartAxis(theme, {domain: [0, 0.4], anchor: "x3", nticks: 4, rangemode: "tozero", tickformat: "~g", visible: seen, fixedrange: true});
    layout.annotations = notes;
    layout.uirevision = `${run.id} ${index}`;
    layout.bargap = 0.25;
    this.spoken = part ? `Singular values of its change at step ${record.t}: ${spectrum.slice(0, 8).map(tidy).join(", ") || "none"}.` : "";
    this.hasImportance = hasImportance;
    Plotly.react(this.box, traces, layout, chartConfig("matrix"));
    if (this.bound) return;
    this.bound = true;
    this.box.on("plotly_relayout", () => this.#moveCursor());
  }

  #moveCursor() {
    placeCursor(this.cursor, this.box, this.board.step);
    placeCursor(this.spectrumCursor, this.box, this.board.step, ["xaxis3", "yaxis3"]);
    if (!this.hasImportance) this.cursor.hidden = true;
    if (!this.hasSpectrum) this.spectrumCursor.hidden = true;
  }
}
