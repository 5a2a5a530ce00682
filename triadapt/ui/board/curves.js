// Loss and metric over time.
import {lineLabel, methodColour, tidy} from "./theme.js";
import {between} from "./frames.js";
import {Smoothed, keepExtremes} from "./thinning.js";
import {TimeChart} from "./time_chart.js";

const MOST_POINTS = 2000;

export class LossCurve extends TimeChart {
  constructor(board) {
    super(board, "loss", "Training loss");
    this.kept = new WeakMap();
  }

  #smooth(run) {
    if (!this.kept.has(run)) this.kept.set(run, new Smoothed(Math.max(8, Math.min(200, run.started.total_step / 30))));
    return this.kept.get(run).of(run.step.loss);
  }

  #faint(run) { return run === this.board.focus ? 0.3 : 0.13; }

  mark(run) { return {count: run.step.t.length}; }

  since(run, {count}) {
    const from = Math.max(0, count - 1);
    const x = run.step.t.slice(from);
    return [
      {x, y: run.step.loss.slice(from), width: 1, dash: "solid", opacity: this.#faint(run)}, {x, y: this.#smooth(run).slice(from)},
    ];
  }

  drawChart() {
    const drawn = this.board.runs.filter((run) => run.started);
    const limit = Math.max(40, Math.floor(MOST_POINTS / 2 / Math.max(1, drawn.length)));
    const faint = [];
    const lines = [];
    for (const run of drawn) {
      const {t, loss} = run.step;
      const raw = keepExtremes(loss, limit);
      const even = this.#smooth(run);
      const kept = keepExtremes(even, limit);
      faint.push(this.line(run, this.xs(run, raw.map((i) => t[i])), raw.map((i) => (Number.isFinite(loss[i]) ? loss[i] : null)), {
        line: {width: 1, dash: "solid"}, opacity: this.#faint(run), hoverinfo: "skip",
      }));
      lines.push(this.line(run, this.xs(run, kept.map((i) => t[i])), kept.map((i) => even[i]), {
        customdata: kept.map((i) => between(run.clock.t, run.clock.lr, t[i])),
        hovertemplate: `${run.started.label}<br>${this.at}: loss %{y:.4g} (smoothed)<br>learning rate %{customdata:.3g}<extra></extra>`,
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
  if (decades < 0.2) ticks.push(...evenTicks(low, high));
  else for (let power = Math.floor(Math.log10(low)) - 1; power <= Math.ceil(Math.log10(high)); power += 1) {
    for (const digit of steps) ticks.push(Number((digit * 10 ** power).toPrecision(2)));
  }
  return {type: "log", autorange: true, tickvals: ticks, ticktext: ticks.map((tick) => tidy(tick))};
}

// A few round values from low to high: in so narrow a range there may be none with one digit.
function evenTicks(low, high) {
  const rough = (high - low) / 3 || low / 10;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((digit) => digit * power).find((one) => one >= rough);
  const ticks = [];
  for (let at = Math.ceil(low / step - 1e-9); at * step <= high * (1 + 1e-9); at += 1) ticks.push(Number((at * step).toPrecision(6)));
  return ticks;
}

export class MetricCurve extends TimeChart {
  constructor(board) {
    super(board, "metric", "Metric");
    this.bottom = 34;
  }

  mark(run) { return {count: run.evals.length, baselines: Object.keys(run.baselines).length}; }

  since(run, {count, baselines}) {
    if (!count || Object.keys(run.baselines).length !== baselines) return run.evals.length ? null : [];
    const news = run.evals.slice(count - 1);
    return [{x: news.map((one) => one.t), y: news.map((one) => one.metrics[run.started.metric] ?? null), dots: news.map((_, i) => i > 0)}];
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
      return this.line(run, this.xs(run, run.evals.map((one) => one.t)), y, {
        mode: "lines+markers", marker: {size: 4, color: methodColour(run, theme)},
        hovertemplate: `${run.started.label}<br>${this.at}: ${metric} %{y:.4g}<extra></extra>`,
      });
    });
    values.push(...Object.values(baselines));
    const kind = first && !first.higher_is_better ? logAxis(values) : {type: "linear", autorange: true};
    // Plotly would keep the range of another metric, or of another kind of axis.
    kind.uirevision ??= `${metric} ${kind.type} ${this.resets}`;
    const inLog = kind.type === "log";
    const names = Object.entries(baselines).filter(([, value]) => Number.isFinite(value));
    this.react(traces, {
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
