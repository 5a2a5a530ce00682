// A chart over time: steps, or another measure of cost, along x; a cursor that moves without a redraw; one zoom for all.
import {chartAxis, chartConfig, chartLayout, chartSection, element, methodColour} from "./theme.js";
import {X_KINDS, stepAt, xAt, xRange} from "./time_axis.js";

const REDRAW = ["data", "size", "theme", "focus", "axis"];

export class TimeChart {
  constructor(board, testid, title) {
    this.board = board;
    Object.assign(this, chartSection(testid, title));
    this.testid = testid;
    this.resets = 0;
    this.cursor = element("div", {className: "tri-cursor"});
    this.holder.append(this.cursor);
  }

  draw(reasons) {
    if (REDRAW.some((reason) => reasons.has(reason)) || !this.box.data) this.drawChart();
    this.moveCursor();
    this.explain();
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

  line(run, x, y, more) {
    return {
      type: "scatter", mode: "lines", x, y, name: run.started.label, meta: run.id,
      line: {color: methodColour(run, this.board.theme), width: run === this.board.focus ? 2.4 : 1.7, dash: run.started.dash},
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
