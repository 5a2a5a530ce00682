// Curves of all runs on one axis; runs that differ in their seed alone as a band around their mean.
import {placeCursor} from "../parts.js";
import {chartAxis, chartLayout, chooser, element, mixColours, tidy} from "../theme.js";
import {rankless} from "./compared_run.js";
import {keepExtremes} from "../thinning.js";
import {Chart} from "./chart.js";
import {WINDOWS} from "./compare_view.js";
import {lights, swatch} from "./run_look.js";
import {AXES, BANDS, QUANTITIES, curve, spread} from "./series.js";

const MOST_POINTS = 12000; // of all lines together: they are SVG
// Marks tell groups of one method apart, beside dash and shade.
const SYMBOLS = ["", "circle", "square", "diamond", "triangle-up", "triangle-down", "circle-open", "square-open", "diamond-open"];
const MARKS = 8;
const NS = "http://www.w3.org/2000/svg";
// Which kind of moment stands on an axis.
const MOMENT_OF = {step: "step", time: "time", rank: "budget"};

export class CurvesPanel extends Chart {
  constructor(comparison) {
    super(comparison, "curves", "");
    const chooseOne = (name, label, options) => chooser(label, options, (value) => comparison.choose(name, name === "mean" ? Number(value) : value));
    this.selects = {
      y: chooseOne("y", "What is drawn", Object.fromEntries(Object.entries(QUANTITIES).map(([key, {label}]) => [key, label]))),
      x: chooseOne("x", "Drawn against", AXES),
      mean: chooseOne("mean", "Loss as the mean over so many steps", Object.fromEntries(WINDOWS.map((steps) => [steps, steps > 1 ? `mean of ${steps} steps` : "each step"]))),
      band: chooseOne("band", "Band over seeds", BANDS),
    };
    this.kinds = element("span", {});
    this.heading.append(this.selects.y);
    this.heading.after(element("span", {className: "tri-against"}, "against ", this.selects.x), this.selects.mean, this.selects.band, this.kinds);
    this.cursor = element("div", {className: "tri-cursor"});
    this.light = document.createElementNS(NS, "svg");
    this.light.setAttribute("class", "tri-light");
    this.holder.append(this.cursor, this.light);
    this.legend = element("p", {className: "tri-legend"});
    this.section.append(this.legend);
  }

  draw(reasons) {
    const {comparison} = this;
    const {choice} = comparison;
    if (reasons.has("data")) this.#fillKinds();
    for (const [name, select] of Object.entries(this.selects)) select.value = String(choice[name]);
    this.selects.mean.hidden = choice.y !== "loss";
    const close = choice.x === "step" || choice.x === "time";
    this.selects.band.hidden = !comparison.several || !close;
    const pins = choice.y === "pinned" && reasons.has("pin");
    if (pins || ["data", "size", "theme", "drawer", "choice"].some((reason) => reasons.has(reason))) this.#drawChart();
    const kind = MOMENT_OF[choice.x];
    const {moment} = comparison;
    this.cursor.hidden = moment.kind !== kind;
    if (!this.cursor.hidden) placeCursor(this.cursor, this.box, moment.value);
    this.#drawLight();
  }

  #fillKinds() {
    const {comparison} = this;
    const {kinds} = comparison.frame;
    const select = chooser("Task and metric on view", Object.fromEntries(kinds.map(({name}, i) => [i, name])), (value) => comparison.choose("kind", Number(value)));
    this.kinds.replaceChildren(...(kinds.length > 1 ? [select] : []));
    select.value = String(comparison.kind);
  }

  // Groups of runs that are drawn: losses and metrics only of one kind of task.
  get #drawn() {
    const {choice, kind, members} = this.comparison;
    const alone = choice.y === "metric" || choice.y === "loss";
    return alone ? members.map((runs) => runs.filter((run) => run.kind === kind)).filter((runs) => runs.length) : members;
  }

  #drawChart() {
    const {comparison} = this;
    const {choice, theme, groups} = comparison;
    const members = this.#drawn;
    const close = choice.x === "step" || choice.x === "time";
    const limit = Math.max(60, Math.floor(MOST_POINTS / comparison.runs.length));
    const traces = [];
    this.lines = new Map();
    members.forEach((runs) => {
      const curves = runs.map((run) => curve(run, choice.y, choice.x, {window: choice.mean, pin: comparison.pinned}));
      runs.forEach((run, i) => this.lines.set(run.id, thinned(curves[i], limit)));
      const band = close && runs.length > 1 ? spread(curves, choice.band, comparison.t975) : null;
      traces.push(...this.#traces(runs, band, close, groups[runs[0].group]));
    });
    const layout = chartLayout(theme, this.box, {l: 54, r: 12, t: 6, b: 36});
    const log = choice.y === "loss";
    layout.xaxis = chartAxis(theme, {title: {text: AXES[choice.x], font: {size: 11, color: theme.quiet}, standoff: 4}, uirevision: choice.x, tickformat: choice.x === "parameters" ? "d" : "", nticks: 8});
    layout.yaxis = chartAxis(theme, {type: log ? "log" : "linear", uirevision: choice.y, tickformat: choice.y === "parameters" ? "d" : "", nticks: 6, ...(log ? logTicks(this.#logRange()) : {})});
    this.react(traces, layout);
    this.say([...this.lines.values()].some((line) => line.x.length) ? "" : this.#whyEmpty());
    this.#explain(close);
  }

  // A point of a curve is a moment, where the axis is one.
  clicked({x}) {
    const kind = MOMENT_OF[this.comparison.choice.x];
    if (kind) this.comparison.setMoment(kind, kind === "time" ? x : Math.round(x));
  }

  moved() {
    this.draw(new Set());
  }

  #whyEmpty() {
    const {choice, pinned} = this.comparison;
    const bare = QUANTITIES[choice.y].own || choice.x === "rank" ? rankless(this.comparison.runs) : "";
    if (bare && !this.comparison.runs.some((run) => run.allotted)) return bare;
    if (choice.y === "pinned") return pinned ? `No run adapts ${pinned}.` : "Click a cell of a rank map: its rank in every run is drawn here.";
    if (QUANTITIES[choice.y].truth) return "What is planted is known on the planted task alone.";
    return "Nothing is recorded of this yet.";
  }

  #traces(runs, band, close, label) {
    const {comparison} = this;
    const colour = comparison.colour(runs[0]);
    const symbol = SYMBOLS[runs[0].place % SYMBOLS.length];
    const faint = Boolean(band);
    const at = {step: "step %{x}", time: "%{x:.1f} s", rank: "total rank %{x}", parameters: "%{x} parameters"}[comparison.choice.x];
    const held = this.lines.get(runs[0].id).held;
    const shape = held ? "hv" : "linear";
    const line = (points, id, width, more) => ({
      type: "scatter", mode: close ? "lines" : "lines+markers", x: points.x, y: points.y, meta: id, line: {color: colour, dash: runs[0].dash, width, shape},
      marker: {size: 6, color: colour, symbol: symbol || "circle"}, ...more,
    });
    const single = runs.map((run) => line(this.lines.get(run.id), run.id, faint ? 1 : 1.8, {
      name: faint ? "" : run.label, opacity: faint ? 0.35 : 1, hovertemplate: `${run.label}, ${at}: %{y:.4g}<extra></extra>`,
    }));
    if (!faint) return [...single, ...runs.flatMap((run) => this.#marks(this.lines.get(run.id), symbol, colour, close))];
    const mean = comparison.means.find((one) => one.group === runs[0].group);
    const middle = {x: band.x, y: band.mean};
    return [
      {type: "scatter", mode: "lines", ...outlineOf(band, held), line: {width: 0, color: colour}, fill: "toself", fillcolor: translucent(colour), hoverinfo: "skip", name: ""},
      ...single, line(middle, mean.id, 2.4, {name: label, hovertemplate: `${label}, mean of ${runs.length}, ${at}: %{y:.4g}<extra></extra>`}),
      ...this.#marks(middle, symbol, colour, close),
    ];
  }

  // A few marks on a line tell groups of one method apart.
  #marks({x, y}, symbol, colour, close) {
    if (!close || !symbol || !x.length) return [];
    const places = Array.from({length: Math.min(MARKS, x.length)}, (_, i) => Math.round(((i + 0.5) * (x.length - 1)) / Math.min(MARKS, x.length)));
    return [{type: "scatter", mode: "markers", x: places.map((i) => x[i]), y: places.map((i) => y[i]), marker: {size: 8, symbol, color: colour, line: {width: 1.5, color: colour}}, hoverinfo: "skip", name: ""}];
  }

  // By the runs alone: an interval of the mean may reach below zero, where a logarithm ends.
  #logRange() {
    const values = [...this.lines.values()].flatMap((line) => line.y.filter((value) => value > 0 && Number.isFinite(value)));
    if (!values.length) return [-1, 0];
    const [low, high] = [values.reduce((a, b) => Math.min(a, b)), values.reduce((a, b) => Math.max(a, b))].map(Math.log10);
    const pad = Math.max(0.03, 0.05 * (high - low));
    return [low - pad, high + pad];
  }

  // The line of the run that is lit, once more and thick, above the others: no redraw.
  #drawLight() {
    const {lit, theme} = this.comparison;
    const line = this.lines && this.lines.get(lit);
    const full = this.box._fullLayout;
    if (!line || !full || !full.xaxis || !line.x.length) {
      this.light.replaceChildren();
      return;
    }
    const {xaxis, yaxis} = full;
    let d = "";
    line.x.forEach((x, i) => {
      const value = line.y[i];
      if (value === null || !Number.isFinite(value) || (this.comparison.choice.y === "loss" && value <= 0)) return;
      const [left, top] = [xaxis._offset + xaxis.d2p(x), yaxis._offset + yaxis.d2p(value)];
      d += !d ? `M${left.toFixed(1)} ${top.toFixed(1)}` : line.held ? `H${left.toFixed(1)}V${top.toFixed(1)}` : `L${left.toFixed(1)} ${top.toFixed(1)}`;
    });
    const path = document.createElementNS(NS, "path");
    path.setAttribute("d", d);
    path.setAttribute("stroke", mixColours(this.comparison.colour(this.comparison.one(lit)), theme.text, 0.25));
    this.light.replaceChildren(path);
    this.light.style.clipPath = `inset(${yaxis._offset}px ${Math.max(0, full.width - xaxis._offset - xaxis._length)}px ${Math.max(0, full.height - yaxis._offset - yaxis._length)}px ${xaxis._offset}px)`;
  }

  #explain(close) {
    const {comparison} = this;
    const {choice} = comparison;
    this.legend.replaceChildren(...this.#drawn.map((runs) => {
      const mean = comparison.means.find((one) => one.group === runs[0].group);
      const words = comparison.groups[runs[0].group];
      return lights(comparison, element("span", {title: words}, swatch(comparison, runs[0]), SYMBOLS[runs[0].place % SYMBOLS.length] ? `${words} (${SYMBOLS[runs[0].place % SYMBOLS.length]})` : words), mean ? mean.id : runs[0].id);
    }));
    const notes = [];
    if (choice.y === "metric") notes.push(metricWords(comparison.frame.kinds[comparison.kind]));
    if (choice.y === "pinned" && comparison.pinned) notes.push(comparison.pinned);
    if (comparison.several && close) notes.push(`seeds: mean and ${BANDS[choice.band]}`);
    if (choice.x === "rank" || choice.x === "parameters") notes.push("a point is a state between two rank events, at its end");
    if (QUANTITIES[choice.y].own || choice.x === "rank") notes.push(...[rankless(comparison.runs).replace(/\.$/, "")].filter(Boolean));
    if (choice.x === "time") notes.push("the runs of a race take turns and share one clock");
    const text = notes.join("; ");
    if (this.note.textContent !== text) this.note.textContent = this.note.title = text;
    const ends = comparison.runs.map((run) => [run.label, this.lines.get(run.id)]).filter(([, line]) => line && line.y.length);
    this.describe(`${QUANTITIES[choice.y].label} against ${AXES[choice.x]}; at the end ${ends.map(([label, line]) => `${label} ${tidy(line.y[line.y.length - 1])}`).join(", ")}.`);
  }
}

// Ticks at 1, 2 and 5 of every power of ten within a range of logarithms.
function logTicks(range) {
  const tickvals = [];
  for (let power = Math.floor(range[0]); power <= Math.ceil(range[1]); power += 1) for (const digit of [1, 2, 5]) tickvals.push(Number((digit * 10 ** power).toPrecision(3)));
  return {range, tickvals, ticktext: tickvals.map(tidy)};
}

function metricWords({metric, higher}) {
  return `${metric}, ${higher ? "higher" : "lower"} is better`;
}

function thinned(line, limit) {
  if (line.x.length <= limit) return line;
  const kept = keepExtremes(line.y, limit);
  return {x: kept.map((i) => line.x[i]), y: kept.map((i) => line.y[i]), held: line.held};
}

// Around a band as one polygon, with the corners of stairs where values are held.
function outlineOf({x, low, high}, held) {
  const points = (edge) => x.flatMap((at, i) => (held && i ? [[at, edge[i - 1]], [at, edge[i]]] : [[at, edge[i]]]));
  const all = [...points(high), ...points(low).reverse()];
  return {x: all.map(([at]) => at), y: all.map(([, value]) => value)};
}

function translucent(colour) {
  const numbers = /^#/.test(colour) ? [1, 3, 5].map((i) => parseInt(colour.slice(i, i + 2), 16)) : colour.match(/[\d.]+/g).slice(0, 3);
  return `rgba(${numbers.join(",")},0.18)`;
}
