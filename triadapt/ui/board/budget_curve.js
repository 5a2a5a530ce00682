// Rank and its cost over time: total rank against its target, threshold, ranks moved, parameters, optimizer state.
import {chooser, lineLabel, methodColour, tidy} from "./theme.js";
import {TimeChart} from "./time_chart.js";
import {X_KINDS} from "./time_axis.js";

const ranksMoved = (event) => event.ranks.reduce((sum, rank, i) => sum + Math.abs(rank - event.before[i]), 0);

// `of`: value after an event; `start`: before the first (null: none). `steps` draws stairs, else a mark an event.
const Y_KINDS = {
  rank: {label: "Total rank", note: "", of: (event) => event.total, start: (run) => run.started.start_total, stairs: true},
  threshold: {
    label: "Threshold", note: "each over its largest: methods measure importance in their own units", of: (event) => event.threshold,
    start: () => null, stairs: true, own: true,
  },
  moves: {label: "Ranks moved", note: "at each event: added, or pruned", of: ranksMoved, start: () => null, stairs: false},
  parameters: {
    label: "Trainable parameters", note: "", of: (event) => event.params || NaN, start: (run) => run.started.parameters || null, stairs: true,
  },
  optimizer: {
    label: "Optimizer state", note: "bytes", of: (event) => event.bytes || NaN, start: () => null, stairs: true,
  },
};

export class BudgetCurve extends TimeChart {
  constructor(board) {
    super(board, "total-rank", "Total rank");
    this.kind = "rank";
    const names = Object.fromEntries(Object.entries(Y_KINDS).map(([key, one]) => [key, one.label]));
    this.y = chooser("Drawn upwards in this chart", names, (value) => board.choose("y", value));
    this.x = chooser("All charts over time are drawn against", Object.fromEntries(
      Object.entries(X_KINDS).map(([key, one]) => [key, `over ${one.label}`])), (value) => board.choose("x", value));
    this.heading.replaceChildren(this.y);
    this.head.append(this.x);
    board.view.keep("y", {
      get: () => (this.kind === "rank" ? null : this.kind),
      set: (value) => {
        const possible = Object.hasOwn(Y_KINDS, value);
        this.kind = possible ? value : "rank";
        return possible;
      },
    });
  }

  drawChart() {
    const {theme, runs, xKind} = this.board;
    const kind = Y_KINDS[this.kind];
    this.y.value = this.kind;
    this.x.value = xKind;
    this.x.title = X_KINDS[xKind].title;
    const rankless = this.kind === "rank" ? runs.filter((run) => run.measured) : [];
    const drawn = runs.filter((run) => run.started && !rankless.includes(run));
    const values = [];
    const traces = drawn.flatMap((run) => this.#traces(run, kind, values));
    const targets = this.kind === "rank" ? [...new Set(drawn.map((run) => run.started.target_total).filter((target) => target > 0))] : [];
    const [low, high] = [Math.min(...values, ...targets), Math.max(...values, ...targets)];
    const known = Number.isFinite(low);
    const room = known ? Math.max((high - low) * 0.12, Math.abs(high) * 0.01, 1e-12) : 0.1;
    const range = known ? [low >= 0 ? Math.max(0, low - room) : low - room, high + 2 * room] : [0, 1]; // above: the name of the target
    if (xKind === "step") traces.unshift(this.#planned(drawn, range));
    const without = rankless.length ? `${rankless.map((run) => run.started.label).join(", ")}: no rank of its own` : "";
    this.note.textContent = known ? [kind.note, without].filter(Boolean).join("; ") : without && !drawn.length ? without : drawn.some((run) => run.events.length) ? "not recorded" : "nothing to draw yet: no rank event";
    this.react(traces, {
      yaxis: {range, tickformat: {rank: "d", moves: "d", threshold: ".2~g"}[this.kind] || "~s", uirevision: `${this.kind} ${this.resets}`},
      shapes: targets.map((target) => ({
        type: "line", xref: "paper", x0: 0, x1: 1, y0: target, y1: target, layer: "below", line: {color: theme.quiet, width: 1, dash: "dot"},
      })),
      annotations: targets.map((target) => lineLabel(theme, `target ${target}`, target)),
    });
  }

  mark(run) { return {events: run.events.length, last: run.last, kind: this.kind}; }

  since(run, {events, last, kind}) {
    const {of, start, stairs, own} = Y_KINDS[kind];
    const news = run.events.slice(events);
    if (news.length && (own || !stairs || !events)) return null;
    if (!stairs || run.last <= last) return [];
    const before = events ? of(run.events[events - 1]) : start(run);
    if (before === null) return [];
    const values = [before, ...news.map(of)];
    const unit = own ? Math.max(...run.events.map((event) => Math.abs(of(event)))) || 1 : 1;
    const end = values[values.length - 1];
    return [{
      x: [last, ...news.map((event) => event.t), run.last], y: [...values, end].map((value) => value / unit), stairs: true,
      dots: [false, ...news.map((_, i) => values[i + 1] !== values[i]), false],
    }];
  }

  widthOf(run, focus) { return run === focus ? 2.6 : 1.8; }

  #traces(run, kind, values) {
    const start = kind.start(run);
    const events = run.events.filter((event) => Number.isFinite(kind.of(event))); // other code may not have logged all
    const steps = [...(start === null ? [] : [0]), ...events.map((event) => event.t)];
    const known = [...(start === null ? [] : [start]), ...events.map(kind.of)];
    if (!known.length) return [];
    const unit = kind.own ? Math.max(...known.map(Math.abs)) || 1 : 1;
    if (kind.stairs && run.last > steps[steps.length - 1]) { steps.push(run.last); known.push(known[known.length - 1]); }
    const y = known.map((value) => value / unit);
    for (const value of y) values.push(value);
    const x = this.xs(run, steps);
    const colour = methodColour(run, this.board.theme);
    const hover = {
      customdata: known.map(tidy), hovertemplate: `${run.started.label}<br>${this.at}: ${kind.label.toLowerCase()} %{customdata}<extra></extra>`,
    };
    const trace = this.line(run, x, y, kind.stairs
      ? {line: {shape: "hv"}, ...hover}
      : {mode: "lines+markers", line: {width: 1}, marker: {color: colour, size: 5}, ...hover});
    if (!kind.stairs) return [trace];
    const changed = steps.map((_, i) => i).filter((i) => i && known[i] !== known[i - 1]);
    return [trace, ...(run.started.dash === "solid" ? [] : [this.#risers(run, x, y, changed)]), {
      type: "scatter", mode: "markers", x: changed.map((i) => x[i]), y: changed.map((i) => y[i]), meta: run.id,
      marker: {color: colour, size: 4.5}, hoverinfo: "skip", name: run.started.label,
    }];
  }

  // Where a dashed line rises or falls, it is drawn whole: a short piece may lie between two of its dashes.
  #risers(run, x, y, changed) {
    return {
      type: "scatter", mode: "lines", x: changed.flatMap((i) => [x[i], x[i], null]), y: changed.flatMap((i) => [y[i - 1], y[i], null]), hoverinfo: "skip",
      line: {color: methodColour(run, this.board.theme), width: this.widthOf(run, this.board.focus)},
    };
  }

  #planned(drawn, range) {
    const {theme} = this.board;
    const planned = [...new Set(drawn.flatMap((run) => Array.from(run.started.planned)))].sort((a, b) => a - b);
    // One line with breaks: a mark each would cost more than all the rest of the chart.
    const [low, high] = [range[0], range[0] + (range[1] - range[0]) * 0.06];
    return {
      type: "scatter", mode: "lines", x: planned.flatMap((t) => [t, t, null]), y: planned.flatMap(() => [low, high, null]), hoverinfo: "x",
      line: {color: theme.grey, width: 1}, opacity: 0.55, name: "planned",
    };
  }

  explain() {
    const kind = Y_KINDS[this.kind];
    const parts = this.board.runs.filter((run) => run.started).map((run) => {
      const at = run.eventAt(this.board.step);
      const value = at < 0 ? kind.start(run) : kind.of(run.events[at]);
      return `${run.started.label} ${tidy(value)}${this.kind === "rank" && run.started.target_total ? ` of ${run.started.target_total}` : ""}`;
    });
    this.describe(`${kind.label} at step ${this.board.step}: ${parts.join(", ")}.`);
  }
}
