// The charts over time: total rank against its target, training loss, metric. A cursor shows the step looked at.
import {chartAxis, chartConfig, chartLayout, chartSection, element, lineLabel, methodColour, tidy} from "./theme.js";

const MOST_POINTS = 2000;

// Indices of at most `limit` values, the smallest and the largest of each bin kept.
export function keepExtremes(values, limit) {
  const n = values.length;
  if (n <= limit) return values.map((_, i) => i);
  const bins = Math.max(1, Math.floor((limit - 2) / 2));
  const kept = [0];
  for (let bin = 0; bin < bins; bin += 1) {
    const start = Math.floor((bin * n) / bins);
    const stop = Math.floor(((bin + 1) * n) / bins);
    let low = start;
    let high = start;
    for (let i = start; i < stop; i += 1) {
      if (values[i] < values[low]) low = i;
      if (values[i] > values[high]) high = i;
    }
    for (const i of low < high ? [low, high] : [high, low]) if (i !== kept[kept.length - 1]) kept.push(i);
  }
  if (kept[kept.length - 1] !== n - 1) kept.push(n - 1);
  return kept;
}

// Exponential moving average with the start's bias taken out; NaN is passed over.
export function smoothed(values, span) {
  const share = 2 / (span + 1);
  let mean = 0;
  let weight = 0;
  return values.map((value) => {
    if (Number.isFinite(value)) {
      mean += share * (value - mean);
      weight += share * (1 - weight);
    }
    return weight ? mean / weight : null;
  });
}

// A chart whose x axis is the step, from 0 to the planned end, with a cursor that moves without a redraw.
class TimeChart {
  constructor(board, testid, title) {
    this.board = board;
    Object.assign(this, chartSection(testid, title));
    this.testid = testid;
    this.cursor = element("div", {className: "tri-cursor"});
    this.holder.append(this.cursor);
  }

  draw(reasons) {
    if (["data", "size", "theme", "focus"].some((reason) => reasons.has(reason)) || !this.box.data) this.drawChart();
    this.moveCursor();
    this.explain();
  }

  react(traces, layout) {
    const {theme} = this.board;
    const base = chartLayout(theme, this.box, {l: 46, r: 12, t: 6, b: this.bottom ?? 22});
    base.xaxis = chartAxis(theme, {range: [0, this.board.total], nticks: 7, hoverformat: "d"});
    base.yaxis = chartAxis(theme, {nticks: 5});
    for (const key of ["xaxis", "yaxis"]) Object.assign(base[key], (layout || {})[key]);
    const shapes = [...((layout || {}).shapes || []), ...this.branchMarks()];
    this.board.Plotly.react(this.box, traces, {...base, ...layout, shapes, xaxis: base.xaxis, yaxis: base.yaxis}, chartConfig(this.testid));
    if (!this.bound) {
      this.bound = true;
      this.box.on("plotly_relayout", () => this.moveCursor());
      this.box.on("plotly_click", (event) => this.board.scrub(Math.round(event.points[0].x)));
    }
  }

  // Where a run left the one it goes on from: to the left of the line is its parent's history.
  branchMarks() {
    const steps = new Set(this.board.runs.map((run) => run.status.branched_at).filter((step) => step !== undefined));
    return [...steps].map((step) => ({
      type: "line", yref: "paper", x0: step, x1: step, y0: 0, y1: 1, layer: "below", line: {color: this.board.theme.grey, width: 1.2, dash: "dash"},
    }));
  }

  moveCursor() {
    const full = this.box._fullLayout;
    if (!full || !full.xaxis || this.hideCursor) { this.cursor.hidden = true; return; }
    const axis = full.xaxis;
    const at = axis.d2p(Math.max(0, this.board.step));
    this.cursor.hidden = at < -1 || at > axis._length + 1;
    this.cursor.style.transform = `translateX(${(axis._offset + at).toFixed(1)}px)`;
    this.cursor.style.top = `${full.yaxis._offset}px`;
    this.cursor.style.height = `${full.yaxis._length}px`;
  }

  line(run, x, y, more) {
    return {
      type: "scatter", mode: "lines", x, y, name: run.started.label,
      line: {color: methodColour(run, this.board.theme), width: run === this.board.focus ? 2.4 : 1.7, dash: run.started.dash},
      ...more,
      ...(more && more.line ? {line: {color: methodColour(run, this.board.theme), dash: run.started.dash, ...more.line}} : {}),
    };
  }
}

export class TotalRank extends TimeChart {
  constructor(board) {
    super(board, "total-rank", "Total rank and its target");
  }

  drawChart() {
    const {theme, runs} = this.board;
    const traces = [];
    const drawn = runs.filter((run) => run.started);
    let top = 0;
    let bottom = Infinity;
    for (const run of drawn) {
      const {start_total: start, target_total: target} = run.started;
      for (const value of [start, target, ...run.events.map((event) => event.total)]) {
        top = Math.max(top, value);
        bottom = Math.min(bottom, value);
      }
    }
    if (!drawn.length) [bottom, top] = [0, 1];
    const room = Math.max(1, (top - bottom) * 0.12);
    const range = [Math.max(0, bottom - room), top + 2 * room]; // above: the name of the target
    const planned = [...new Set(drawn.flatMap((run) => Array.from(run.started.planned)))].sort((a, b) => a - b);
    traces.push({
      type: "scatter", mode: "markers", x: planned, y: planned.map(() => range[0] + (range[1] - range[0]) * 0.03), hoverinfo: "x",
      marker: {symbol: "line-ns-open", size: 6, color: theme.grey, line: {width: 1}}, opacity: 0.55, name: "planned",
    });
    for (const run of drawn) {
      const x = [0, ...run.events.map((event) => event.t)];
      const y = [run.started.start_total, ...run.events.map((event) => event.total)];
      const moved = run.events.filter((event, i) => event.total !== (i ? run.events[i - 1].total : run.started.start_total));
      if (run.last > x[x.length - 1]) { x.push(run.last); y.push(y[y.length - 1]); }
      traces.push(this.line(run, x, y, {
        line: {shape: "hv", width: run === this.board.focus ? 2.6 : 1.8},
        hovertemplate: `${run.started.label}<br>step %{x}: total rank %{y}<extra></extra>`,
      }));
      traces.push({
        type: "scatter", mode: "markers", x: moved.map((event) => event.t), y: moved.map((event) => event.total),
        marker: {color: methodColour(run, theme), size: 4.5}, hoverinfo: "skip", name: run.started.label,
      });
    }
    const targets = [...new Set(drawn.map((run) => run.started.target_total))];
    this.react(traces, {
      yaxis: {range, tickformat: "d"},
      shapes: targets.map((target) => ({
        type: "line", xref: "paper", x0: 0, x1: 1, y0: target, y1: target, layer: "below", line: {color: theme.quiet, width: 1, dash: "dot"},
      })),
      annotations: targets.map((target) => lineLabel(theme, `target ${target}`, target)),
    });
  }

  explain() {
    const parts = this.board.runs.filter((run) => run.started).map((run) => {
      const at = run.eventAt(this.board.step);
      return `${run.started.label} ${at < 0 ? run.started.start_total : run.events[at].total} of ${run.started.target_total}`;
    });
    this.describe(`Total rank at step ${this.board.step}: ${parts.join(", ")}.`);
  }
}

export class LossCurve extends TimeChart {
  constructor(board) {
    super(board, "loss", "Training loss");
  }

  drawChart() {
    const drawn = this.board.runs.filter((run) => run.started);
    const limit = Math.max(40, Math.floor(MOST_POINTS / 2 / Math.max(1, drawn.length)));
    const faint = [];
    const lines = [];
    for (const run of drawn) {
      const {t, loss} = run.step;
      const raw = keepExtremes(loss, limit);
      const even = smoothed(loss, Math.max(8, Math.min(200, run.started.total_step / 30)));
      const kept = keepExtremes(even, limit);
      faint.push(this.line(run, raw.map((i) => t[i]), raw.map((i) => (Number.isFinite(loss[i]) ? loss[i] : null)), {
        line: {width: 1, dash: "solid"}, opacity: run === this.board.focus ? 0.3 : 0.13, hoverinfo: "skip",
      }));
      lines.push(this.line(run, kept.map((i) => t[i]), kept.map((i) => even[i]), {
        customdata: kept.map((i) => run.step.lr[i]),
        hovertemplate: `${run.started.label}<br>step %{x}: loss %{y:.4g} (smoothed)<br>learning rate %{customdata:.3g}<extra></extra>`,
      }));
    }
    this.react([...faint, ...lines], {yaxis: logAxis(drawn.flatMap((run) => run.step.loss))});
  }

  explain() {
    const parts = this.board.runs.filter((run) => run.step.t.length).map((run) => {
      const at = run.step.t.findLastIndex((t) => t <= this.board.step);
      return `${run.started.label} ${at < 0 ? "–" : tidy(run.step.loss[at])}`;
    });
    this.note.textContent = "logarithmic; thin: every step, thick: smoothed";
    this.describe(`Training loss at step ${this.board.step}: ${parts.join(", ")}.`);
  }
}

// A logarithmic axis with few, plain tick labels; linear where a value is not positive.
export function logAxis(values) {
  let low = Infinity;
  let high = -Infinity;
  for (const value of values) {
    if (!Number.isFinite(value)) continue;
    if (value <= 0) return {type: "linear"};
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  // A revision of its own: Plotly would keep the range of the empty chart when values come.
  if (high < low) return {type: "log", range: [-2, 0], uirevision: "empty"};
  const decades = Math.log10(high / low);
  const steps = decades > 2.2 ? [1] : decades > 0.9 ? [1, 3] : [1, 1.5, 2, 3, 5, 7];
  const ticks = [];
  for (let power = Math.floor(Math.log10(low)) - 1; power <= Math.ceil(Math.log10(high)); power += 1) {
    for (const digit of steps) ticks.push(Number((digit * 10 ** power).toPrecision(2)));
  }
  return {type: "log", autorange: true, tickvals: ticks, ticktext: ticks.map((tick) => tidy(tick))};
}

export class MetricCurve extends TimeChart {
  constructor(board) {
    super(board, "metric", "Metric");
    this.bottom = 34;
  }

  drawChart() {
    const {theme, runs} = this.board;
    const drawn = runs.filter((run) => run.started);
    const first = drawn[0] && drawn[0].started;
    const metric = first ? first.metric : "metric";
    this.heading.textContent = first ? `${metric} on held-out data` : "Metric";
    this.note.textContent = first ? (first.higher_is_better ? "higher is better" : "lower is better") : "";
    const baselines = Object.assign({}, ...drawn.map((run) => run.baselines));
    const values = [];
    const traces = drawn.map((run) => {
      const y = run.evals.map((one) => one.metrics[run.started.metric] ?? null);
      values.push(...y);
      return this.line(run, run.evals.map((one) => one.t), y, {
        mode: "lines+markers", marker: {size: 4, color: methodColour(run, theme)},
        hovertemplate: `${run.started.label}<br>step %{x}: ${metric} %{y:.4g}<extra></extra>`,
      });
    });
    values.push(...Object.values(baselines));
    const kind = first && !first.higher_is_better ? logAxis(values) : {type: "linear"};
    const inLog = kind.type === "log";
    const names = Object.entries(baselines).filter(([, value]) => Number.isFinite(value));
    this.react(traces, {
      xaxis: {title: {text: "step", font: {size: 11, color: theme.quiet}, standoff: 2}},
      yaxis: kind,
      shapes: names.map(([name, value]) => ({
        type: "line", xref: "paper", x0: 0, x1: 1, y0: value, y1: value, layer: "below", line: {color: theme.quiet, width: 1, dash: "dot"},
      })),
      annotations: names.map(([name, value]) => lineLabel(theme, `${name} ${tidy(value)}`, inLog ? Math.log10(value) : value, inLog)),
    });
  }

  explain() {
    const parts = this.board.runs.filter((run) => run.evals.length).map((run) => {
      const at = run.evals.findLastIndex((one) => one.t <= this.board.step);
      return `${run.started.label} ${at < 0 ? "–" : tidy(run.evals[at].metrics[run.started.metric])}`;
    });
    this.describe(`${this.heading.textContent} at step ${this.board.step}: ${parts.join(", ") || "nothing yet"}.`);
  }
}
