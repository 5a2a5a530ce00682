// A chart over time: steps, or another measure of cost, along x; a cursor that moves without a redraw; one zoom for all.
import {drawWhole, isOver} from "./parts.js";
import {chartAxis, chartConfig, chartLayout, chartSection, element, methodColour} from "./theme.js";
import {Tail} from "./tail.js";
import {X_KINDS, stepAt, xAt, xRange} from "./time_axis.js";

const REDRAW = ["size", "theme", "focus", "axis"];
const MOST_IN_TAIL = 400; // points of a line
const OLDEST_MS = 15000;
const OLDEST_HOVERED_MS = 1000; // Plotly knows the points that it has drawn


export class TimeChart {
  constructor(board, testid, title) {
    this.board = board;
    Object.assign(this, chartSection(testid, title));
    this.testid = testid;
    this.resets = 0;
    this.cursor = element("div", {className: "tri-cursor"});
    this.tail = new Tail(this.holder);
    this.holder.append(this.cursor);
    this.holder.addEventListener("pointerenter", () => { if (this.tail.length) board.touch("look"); });
  }

  draw(reasons) {
    const whole = !this.box.data || REDRAW.some((reason) => reasons.has(reason)) || (reasons.has("look") && this.tail.length && this.#hovered);
    if (whole || (reasons.has("data") && !this.#extend())) drawWhole(this, () => this.drawChart());
    this.moveCursor();
    this.explain();
  }

  // What costs little of following the data, for when a drawing has to wait.
  glance() {
    this.#extend();
    this.moveCursor();
    this.explain();
  }

  get #hovered() { return this.holder.matches(":hover"); }

  // Draws above the chart what came since it was drawn. Whether that shows all there is.
  #extend() {
    const {runs, xKind, theme, focus} = this.board;
    const drawn = runs.filter((run) => run.started);
    if (!this.marks || xKind !== "step" || drawn.length !== this.marks.size) return false;
    const tails = drawn.map((run) => {
      const mark = this.marks.get(run);
      return mark && mark.look === lookOf(run) ? this.since(run, mark) : null;
    });
    if (tails.includes(null)) return false;
    const lines = tails.flatMap((tail, i) => tail.filter((line) => line.x.length > 1).map((line) => ({
      colour: methodColour(drawn[i], theme), dash: drawn[i].started.dash, width: this.widthOf(drawn[i], focus), ...line,
    })));
    const inside = this.tail.draw(this.box._fullLayout, lines);
    if (!lines.length) return true;
    const age = performance.now() - this.drawnAt;
    return inside && !drawn.every(isOver) && this.tail.length <= MOST_IN_TAIL && age < (this.#hovered ? OLDEST_HOVERED_MS : OLDEST_MS);
  }

  // Places of these steps of a run on the x axis.
  xs(run, steps) {
    const {xKind} = this.board;
    return xKind === "step" ? Array.from(steps) : Array.from(steps, (step) => xAt(run, xKind, step));
  }

  get #whole() { return xRange(this.board.runs, this.board.xKind, this.board.total); }

  react(traces, layout) {
    const {theme, xKind, zoom} = this.board;
    const base = chartLayout(theme, this.box, {l: 46, r: 12, t: 6, b: this.bottom ?? 22});
    const whole = this.#whole;
    // The chart's own zoom along x is the board's: a revision of its own makes Plotly take the range from here.
    base.xaxis = chartAxis(theme, {
      range: zoom || whole, nticks: 7, hoverformat: xKind === "step" ? "d" : ".4~s", tickformat: xKind === "step" ? "d" : "~s",
      uirevision: `${xKind} ${zoom || ""}`,
    });
    base.yaxis = chartAxis(theme, {nticks: 5, uirevision: `${this.resets}`});
    if (this.bottom) {
      const {label, unit} = X_KINDS[xKind];
      base.xaxis.title = {text: unit || label, font: {size: 11, color: theme.quiet}, standoff: 2};
    }
    for (const key of ["xaxis", "yaxis"]) Object.assign(base[key], (layout || {})[key]);
    const shapes = [...((layout || {}).shapes || []), ...this.#branchMarks()];
    this.board.Plotly.react(this.box, traces, {...base, ...layout, shapes, xaxis: base.xaxis, yaxis: base.yaxis}, this.#config());
    this.marks = new Map(this.board.runs.filter((run) => run.started).map((run) => [run, {look: lookOf(run), ...this.mark(run)}]));
    this.tail.clear();
    if (this.bound) return;
    this.bound = true;
    this.box.on("plotly_relayout", (changed) => this.#zoomed(changed));
    this.box.on("plotly_doubleclick", () => this.#reset());
    this.box.on("plotly_click", (event) => {
      const run = this.board.runs.find((one) => one.id === event.points[0].data.meta) || this.board.focus;
      this.board.scrub(stepAt(run, this.board.xKind, event.points[0].x));
    });
  }

  // Where a run left the one it goes on from: to the left of the line is its parent's history.
  #branchMarks() {
    const {theme, xKind} = this.board;
    return this.board.runs.filter((run) => run.started && run.status.branched_at !== undefined).map((run) => {
      const x = xAt(run, xKind, run.status.branched_at);
      return {type: "line", yref: "paper", x0: x, x1: x, y0: 0, y1: 1, layer: "below", line: {color: theme.grey, width: 1.2, dash: "dash"}};
    });
  }

  // Plotly's own reset would go back to the range it saw first, which may have been a zoomed one.
  // One object for good: with another one Plotly would build the chart anew.
  #config() {
    if (this.config) return this.config;
    const config = chartConfig(this.testid);
    const home = {name: "reset", title: "Show everything", icon: (this.board.Plotly.Icons || {}).home, click: () => this.#reset()};
    const modeBarButtons = config.modeBarButtons.map((row) => row.map((button) => (button === "resetScale2d" ? home : button)));
    this.config = {...config, modeBarButtons, doubleClick: false};
    return this.config;
  }

  #reset() {
    this.resets += 1;
    if (this.board.zoom) this.board.setZoom(null);
    else this.board.touch("axis");
  }

  #zoomed(changed) {
    this.moveCursor();
    if (this.tail.length) this.#extend();
    if (!Object.keys(changed).some((key) => key.startsWith("xaxis"))) return;
    const [low, high] = this.box._fullLayout.xaxis.range;
    const whole = this.#whole;
    const all = (high - low) >= (whole[1] - whole[0]) * 0.999 || changed["xaxis.autorange"];
    this.board.setZoom(all ? null : [low, high]);
  }

  moveCursor() {
    const full = this.box._fullLayout;
    const run = this.board.focus;
    if (!full || !full.xaxis || this.hideCursor || !run || !run.started) { this.cursor.hidden = true; return; }
    const axis = full.xaxis;
    const at = axis.d2p(xAt(run, this.board.xKind, Math.max(0, this.board.step)));
    this.cursor.hidden = at < -1 || at > axis._length + 1;
    this.cursor.style.transform = `translateX(${(axis._offset + at).toFixed(1)}px)`;
    this.cursor.style.top = `${full.yaxis._offset}px`;
    this.cursor.style.height = `${full.yaxis._length}px`;
  }

  widthOf(run, focus) { return run === focus ? 2.4 : 1.7; }

  line(run, x, y, more) {
    return {
      type: "scatter", mode: "lines", x, y, name: run.started.label, meta: run.id,
      line: {color: methodColour(run, this.board.theme), width: this.widthOf(run, this.board.focus), dash: run.started.dash},
      ...more,
      ...(more && more.line ? {line: {color: methodColour(run, this.board.theme), dash: run.started.dash, ...more.line}} : {}),
    };
  }

  // What the mouse says first at a point: the run, and where along x it is.
  get at() {
    const {label} = X_KINDS[this.board.xKind];
    return this.board.xKind === "step" ? "step %{x}" : `${label} %{x:.4~s}`;
  }
}

// What of a run's state is drawn beside its data.
function lookOf(run) {
  const {label, colour, dash} = run.started;
  return [run.generation, label, colour, dash, run.status.branched_at].join(" ");
}
