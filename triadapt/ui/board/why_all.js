// Every rule on one picture: the newest event of each run that decides, sorted, as distance from its own threshold. Methods
// measure importance in units of their own, so each strip has its own: the distance within which half of its scores lie.
import {chartAxis, chartConfig, chartLayout, element, matrixLabel, methodColour, tidy} from "./theme.js";
import {drawWhole, sayNothing} from "./parts.js";
import {keptTriplets, named, whyWords} from "./why_words.js";

const ALL_STRIP = 85; // pixels, with its title
const ALL_TITLE = 17;
const ALL_TOP = 2.5; // a root: bars end there, so that outliers leave room for the others
const ALL_LEAST = 0.18; // height of a bar at the threshold itself
const ALL_MARGIN = {l: 34, r: 10, t: 2, b: 18};
const ALL_WIDE = 560; // pixels, from which a title fits on one line
const ALL_LETTER = 6.4; // pixels of a letter in a title

// Runs that decide, in the order of the board.
export function decidingRuns(runs) {
  return runs.filter((run) => run.started && run.started.allocation !== "fixed");
}

// The scores of an event from the largest on, as distances from its threshold: {order, owner, heights, passed}. A height is the
// root of the distance in units of the median distance, cut at ALL_TOP; `passed` counts those that grow or are kept.
export function distances(event) {
  const triplets = event.units.length > 0;
  const scores = triplets ? event.units : event.scores;
  const order = Array.from(scores, (_, i) => i).sort((a, b) => scores[b] - scores[a]);
  const line = Number.isFinite(event.threshold) ? event.threshold : scores[order[0]];
  const away = Array.from(scores, (score) => Math.abs(score - line)).sort((a, b) => a - b);
  const unit = away[Math.floor(away.length / 2)] || away[away.length - 1] || 1;
  const kept = new Set(triplets ? order.slice(0, keptTriplets(event)) : event.chosen);
  const heights = order.map((i) => {
    const height = Math.min(ALL_TOP, Math.sqrt(Math.abs(scores[i] - line) / unit));
    return height < ALL_LEAST ? (kept.has(i) ? ALL_LEAST : -ALL_LEAST) : Math.sign(scores[i] - line) * height;
  });
  return {scores, order, owner: triplets ? event.unitMatrix : null, heights, passed: order.map((i) => kept.has(i)), unit};
}

// One line about an event: what the rule allowed, and, after a semicolon, what came of it with at most so many names.
export function ruleLine(run, event, most = 3) {
  if (!event) return run.started.planned.length ? `no event yet, the first is planned at step ${run.started.planned[0]}` : "no event is planned";
  if (event.late) return `step ${event.t}, ${event.rule} rule: its importances are on their way`;
  if (event.units.length) {
    const lost = event.chosen.filter((i) => event.ranks[i] < event.before[i]);
    const what = lost.length ? `${named(run, lost, most)} lost rank` : "no matrix lost rank";
    return `step ${event.t}: the budget keeps ${keptTriplets(event)} of ${event.units.length} ${run.unit}s; ${what}`;
  }
  if (!event.scores.length) return `step ${event.t}: ${event.chosen.length ? `${named(run, event.chosen, most)} changed rank` : "no rank changed"}; importances were not recorded`;
  const rule = event.rule === "top-h" ? `the top ${event.allowed} of ${event.scores.length}` : `${event.rule}, ${event.allowed} of ${event.scores.length}`;
  return `step ${event.t}: ${rule} may grow; ${event.chosen.length ? `${named(run, event.chosen, most)} did` : "none did"}`;
}

export class AllRules {
  constructor(panel) {
    this.panel = panel;
    this.board = panel.board;
    this.light = element("div", {className: "tri-overlay", hidden: true});
    this.tip = element("div", {className: "tri-tip", hidden: true});
    panel.holder.append(this.light);
    // Listened to on the way down: Plotly keeps these events to itself. Nothing of Plotly's own reacts to these bars.
    panel.holder.addEventListener("mousemove", (event) => this.#point(event), true);
    panel.holder.addEventListener("mouseleave", () => this.#leave());
    panel.holder.addEventListener("click", (event) => this.#click(event), true);
    this.strips = [];
  }

  // The panel shows one rule again.
  stop() {
    if (!this.strips.length) return;
    this.strips = [];
    this.panel.holder.style.height = "";
    this.light.hidden = this.tip.hidden = true;
    sayNothing(this.panel, "");
  }

  draw(reasons, runs) {
    const {panel, board} = this;
    const {step, pinned} = board;
    const key = ["all", pinned, ...runs.map((run) => `${run.id} ${run.version} ${run.events.length} ${run.eventAt(step)}`)].join(" ");
    if (key !== panel.key || ["size", "theme"].some((reason) => reasons.has(reason))) {
      panel.key = key;
      drawWhole(panel, () => this.#drawAll(runs));
    }
    this.#drawLight();
  }

  #drawAll(runs) {
    const {panel, board} = this;
    const high = runs.length > 3 ? `${ALL_STRIP * runs.length}px` : "";
    if (panel.holder.style.height !== high) panel.holder.style.height = high;
    const strips = runs.map((run) => {
      const at = run.eventAt(board.step);
      const event = at < 0 ? null : run.events[at];
      return {run, event, line: ruleLine(run, event), shown: event && (event.scores.length || event.units.length) ? distances(event) : null};
    });
    this.strips = strips;
    panel.heading.textContent = "Why did it grow?";
    panel.note.textContent = "distance from each threshold; half lie within 1";
    panel.note.title = "Each rule measures importance in its own unit. 1 is the distance within which half of them lie; bars are roots and end at 6.";
    panel.describe(`The newest decision of each rule at step ${board.step}. ${strips.map(({run, event, line}) => (
      event && !event.late ? `${run.started.label}: ${whyWords(run, event)}` : `${run.started.label}: ${line}.`)).join(" ")}`);
    sayNothing(panel, strips.some((strip) => strip.event) ? "" : `No rule has decided anything up to step ${board.step}.`);
    this.#react();
  }

  #react() {
    const {panel: {box}, board, strips} = this;
    const {theme, Plotly} = board;
    const layout = chartLayout(theme, box, ALL_MARGIN);
    const inner = layout.height - ALL_MARGIN.t - ALL_MARGIN.b;
    const wide = layout.width >= ALL_WIDE;
    const title = wide ? ALL_TITLE : 2 * ALL_TITLE - 3;
    const each = inner / strips.length;
    layout.annotations = [];
    layout.shapes = [];
    layout.dragmode = false;
    const traces = [];
    strips.forEach((strip, i) => {
      const suffix = i ? String(i + 1) : "";
      const {run, event, shown} = strip;
      Object.assign(strip, {top: ALL_MARGIN.t + i * each + title, high: each - title, left: ALL_MARGIN.l, wide: layout.width - ALL_MARGIN.l - ALL_MARGIN.r});
      layout.annotations.push(...this.#titles(strip, 1 - (i * each) / inner, wide, layout.width));
      const ticks = strip.high >= 56 ? [-2, -1, 0, 1, 2] : [-1, 0, 1];
      layout[`xaxis${suffix}`] = chartAxis(theme, {
        anchor: `y${suffix}`, domain: [0, 1], range: [-0.6, shown ? shown.order.length - 0.4 : 1], fixedrange: true, showgrid: false, showticklabels: false,
        ...(i === strips.length - 1 ? {title: {text: "sorted, most important first", font: {size: 11, color: theme.quiet}, standoff: 2}} : {}),
      });
      layout[`yaxis${suffix}`] = chartAxis(theme, {
        anchor: `x${suffix}`, domain: [1 - ((i + 1) * each) / inner, 1 - (i * each + title) / inner], range: [-ALL_TOP - 0.1, ALL_TOP + 0.1], fixedrange: true,
        tickvals: ticks, ticktext: ticks.map((tick) => String(tick * Math.abs(tick)).replace("-", "−")), visible: Boolean(shown),
      });
      if (!shown) return;
      traces.push(...this.#bars(strip, suffix), this.#pinned(strip, suffix, layout));
      if (!Number.isFinite(event.threshold)) return;
      layout.shapes.push({
        type: "line", xref: "paper", x0: 0, x1: 1, yref: `y${suffix}`, y0: 0, y1: 0, line: {color: theme.text, width: 1.3, dash: "dash"},
      });
    });
    layout.uirevision = "all rules";
    Plotly.react(box, traces, layout, chartConfig("why", false));
  }

  // What stands above a strip: on one line where it fits, else what came of the rule on a second one.
  #titles({run, event, shown}, y, wide, width) {
    const {theme} = this.board;
    const line = shown && Number.isFinite(event.threshold) ? `threshold ${tidy(event.threshold)}` : "";
    const room = width / ALL_LETTER - run.started.label.length - line.length - 4;
    const text = [3, 2, 1].map((most) => ruleLine(run, event, most)).find((one, i) => i === 2 || one.length <= room);
    const [what, came] = wide ? [text, ""] : ruleLine(run, event).split("; ");
    const base = {showarrow: false, xref: "paper", yref: "paper", y, yanchor: "top", borderpad: 0};
    return [{
      ...base, text: `<b>${run.started.label}</b> ${what}${came ? `<br>${came}` : ""}`, x: 0, xanchor: "left", xshift: 4 - ALL_MARGIN.l, align: "left",
      font: {size: 12, color: theme.text},
    }, ...(line ? [{...base, text: line, x: 1, xanchor: "right", yshift: wide ? -1 : -ALL_TITLE, font: {size: 11, color: theme.quiet}}] : [])];
  }

  // A strip in two shapes, those that passed and the others: a bar of its own for each would be slow with hundreds.
  #bars({run, shown}, suffix) {
    const {theme} = this.board;
    const {heights, passed, order} = shown;
    const half = order.length > 120 ? 0.5 : 0.41;
    const axes = {xaxis: `x${suffix}`, yaxis: `y${suffix}`, hoverinfo: "skip"};
    const shape = (wanted, color) => {
      const places = heights.map((_, place) => place).filter((place) => passed[place] === wanted);
      return {
        type: "scatter", mode: "lines", fill: "toself", fillcolor: color, line: {width: 0, color}, ...axes,
        x: places.flatMap((at) => [at - half, at - half, at + half, at + half, at - half, null]),
        y: places.flatMap((at) => [0, heights[at], heights[at], 0, 0, null]),
      };
    };
    return [shape(true, methodColour(run, theme)), shape(false, theme.grey)];
  }

  // The pinned matrix: a triangle across the line from each of its bars, with its name at the first.
  #pinned(strip, suffix, layout) {
    const {theme, pinned} = this.board;
    const {heights, order} = strip.shown;
    const own = placesOf(strip, pinned);
    if (own.length) {
      const [at] = own;
      layout.annotations.push({
        text: pinned, xref: `x${suffix}`, x: at, yref: `y${suffix}`, y: 0, yanchor: heights[at] > 0 ? "top" : "bottom", yshift: heights[at] > 0 ? -10 : 10,
        xanchor: at < 0.08 * order.length ? "left" : at > 0.92 * order.length ? "right" : "center", showarrow: false, font: {size: 11, color: theme.text}, borderpad: 0,
      });
    }
    return {
      type: "scatter", mode: "markers", xaxis: `x${suffix}`, yaxis: `y${suffix}`, hoverinfo: "skip", x: own, y: own.map((place) => (heights[place] > 0 ? -0.6 : 0.6)),
      marker: {symbol: own.map((place) => (heights[place] > 0 ? "triangle-up" : "triangle-down")), size: 8, color: theme.text},
    };
  }

  // The strip and place under the pointer, null if there is none.
  #under({clientX, clientY}) {
    const {left, top} = this.panel.box.getBoundingClientRect();
    const [x, y] = [clientX - left, clientY - top];
    const strip = this.strips.find((one) => one.shown && y >= one.top && y <= one.top + one.high && x >= one.left && x <= one.left + one.wide);
    if (!strip) return null;
    const count = strip.shown.order.length;
    const place = Math.max(0, Math.min(count - 1, Math.round(((x - strip.left) / strip.wide) * (count + 0.2) - 0.6)));
    return {strip, place, x, y};
  }

  #labelAt({strip: {run, shown: {order, owner}}, place}) {
    return matrixLabel(run.started.matrices[owner ? owner[order[place]] : order[place]]);
  }

  #point(event) {
    if (!this.strips.length) return;
    const at = this.#under(event);
    this.board.hover(at ? this.#labelAt(at) : null);
    this.tip.hidden = !at;
    if (at) this.#showTip(at);
  }

  #leave() {
    if (!this.strips.length) return;
    this.tip.hidden = true;
    this.board.hover(null);
  }

  #click(event) {
    const at = this.strips.length ? this.#under(event) : null;
    if (at) this.board.pin(this.#labelAt(at), at.strip.run.id);
  }

  #showTip(at) {
    if (!this.tip.isConnected) this.panel.holder.append(this.tip);
    const {strip: {run, event, shown}, place, x, y} = at;
    const i = shown.order[place];
    const matrix = shown.owner ? shown.owner[i] : i;
    const change = event.before[matrix] === event.ranks[matrix] ? `stays at rank ${event.ranks[matrix]}` : `rank ${event.before[matrix]} → ${event.ranks[matrix]}`;
    const what = shown.owner ? `${run.unit}, ${shown.passed[place] ? "kept" : "cut"}; its matrix: ${change}` : change;
    this.tip.replaceChildren(element("b", {}, this.#labelAt(at)), ` ${run.started.label}, place ${place + 1} of ${shown.order.length}`, element("br"),
      `importance ${tidy(shown.scores[i])}, threshold ${tidy(event.threshold)}`, element("br"), what);
    const {offsetWidth: wide, offsetHeight: high} = this.tip;
    const {clientWidth, clientHeight} = this.panel.box;
    this.tip.style.left = `${Math.max(0, x + 14 + wide > clientWidth ? x - 14 - wide : x + 14)}px`;
    this.tip.style.top = `${Math.max(0, Math.min(clientHeight - high, y - high / 2))}px`;
  }

  // The hovered matrix: columns above its bars in every strip, without a redraw of them.
  #drawLight() {
    const {hovered} = this.board;
    this.light.hidden = !hovered;
    if (!hovered) { this.tip.hidden = true; return; }
    const marks = this.strips.filter((strip) => strip.shown).flatMap((strip) => {
      const {top, high, left, wide} = strip;
      const per = wide / (strip.shown.order.length + 0.2);
      return placesOf(strip, hovered).map((place) => {
        const mark = element("div", {className: "tri-mark tri-hovered"});
        const broad = Math.max(3, per);
        Object.assign(mark.style, {left: `${left + (place + 0.6) * per - broad / 2}px`, width: `${broad}px`, top: `${top}px`, height: `${high}px`});
        return mark;
      });
    });
    this.light.replaceChildren(...marks);
  }
}

// Places of a matrix's bars in a strip.
function placesOf({run, shown: {order, owner}}, label) {
  const index = run.started.matrices.findIndex((matrix) => matrixLabel(matrix) === label);
  return order.map((i, place) => ((owner ? owner[i] : i) === index ? place : -1)).filter((place) => place >= 0);
}
