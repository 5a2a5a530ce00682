// Importance over time, of the matrices that matter: against the threshold, as places, as a margin, and who is chosen how often.
import {barLabels, chartAxis, chartConfig, chartLayout, chartSection, element, labelWidth, matrixLabel, methodColour, mixColours, numberFormat, PLANTED_COLOUR, tidy} from "./theme.js";
import {keepChoice} from "./board_view.js";
import {importanceSeries, oftenChosen} from "./importance_series.js";
import {drawWhole, isOver, placeCursor, sayNothing, smallChoice} from "./parts.js";

const IMPORTANCE_TOP = 5;
const IMPORTANCE_FAINT_POINTS = 12000;
const IMPORTANCE_RIGHT = 64;
const IMPORTANCE_COLOURS = ["#0072B2", "#009E73", "#CC79A7", "#B8860B", "#56B4E9"];
const IMPORTANCE_VIEWS = {
  value: "What each matrix scored, and the threshold", rank: "The place of each matrix, best at the top",
  margin: "How far above or below the threshold", chosen: "How often each matrix was chosen",
};
const IMPORTANCE_SETS = {
  pinned: "Only the pinned matrix", top: "The pinned matrix and those chosen most often", all: "Every matrix",
};

export class ImportancePanel {
  constructor(board) {
    this.board = board;
    Object.assign(this, chartSection("importance", "Importance over time"));
    this.view = "value";
    this.set = "top";
    this.module = "";
    this.views = smallChoice("What is drawn", IMPORTANCE_VIEWS, (value) => this.#choose({view: value}));
    this.sets = smallChoice("Which matrices", IMPORTANCE_SETS, (value) => this.#choose({set: value}));
    this.modules = element("select", {className: "tri-small", title: "Only matrices in this place"});
    this.modules.setAttribute("aria-label", "Only matrices in this place");
    this.modules.addEventListener("change", () => this.#choose({module: this.modules.value}));
    this.controls = element("div", {className: "tri-controls"}, this.views.node, this.sets.node, this.modules);
    this.section.insertBefore(this.controls, this.holder);
    this.cursor = element("div", {className: "tri-cursor"});
    this.light = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    this.light.setAttribute("class", "tri-light");
    this.light.setAttribute("aria-hidden", "true");
    this.holder.append(this.cursor, this.light);
    keepChoice(board, "importance", this, "view", Object.keys(IMPORTANCE_VIEWS));
    keepChoice(board, "which", this, "set", Object.keys(IMPORTANCE_SETS));
    board.view.keep("place", {get: () => this.module || null, set: (text) => { this.module = text; }});
    this.key = null;
    this.describe("Importance of the matrices at every rank event.");
  }

  #choose(change) {
    Object.assign(this, change);
    this.board.touch("importance");
    this.board.view.changed();
  }

  draw(reasons) {
    const {board} = this;
    const run = board.focus;
    const series = run && run.started ? importanceSeries(run) : null;
    this.views.mark(this.view);
    this.sets.mark(this.set);
    const empty = series ? "" : this.#emptyWords(run);
    sayNothing(this, empty);
    this.controls.style.visibility = empty ? "hidden" : "";
    if (empty) {
      this.key = null;
      this.note.textContent = "";
      this.describe(`Importance over time at step ${board.step}: ${empty}`);
      return;
    }
    const key = [run.id, run.version, run.events.length, isOver(run), board.pinned, this.view, this.set, this.module].join(" ");
    if (key !== this.key || ["size", "theme"].some((reason) => reasons.has(reason))) {
      this.key = key;
      drawWhole(this, () => this.#drawAll(run, series));
    }
    this.#drawLight();
    this.glance();
  }

  // What costs little of a step, for when a drawing has to wait.
  glance() {
    if (this.key === null || this.board.focus !== this.run) return;
    if (this.view === "chosen") this.cursor.hidden = true;
    else placeCursor(this.cursor, this.box, this.board.step);
    this.#explain(this.run, this.series);
  }

  #emptyWords(run) {
    if (!run || !run.started) return "No run yet.";
    if (run.started.allocation === "fixed") return `${run.started.label} scores no matrix.`;
    if (run.events.length && run.events.every((event) => !event.late && !event.scores.length)) return "No importance was recorded with these rank events.";
    return "No rank event yet: importance is drawn from the first on.";
  }

  // Which matrices: all that may be drawn, and those drawn as lines of their own.
  #pick(run, series) {
    const {matrices} = run.started;
    const places = [...new Set(matrices.map((m) => m.module))];
    if (!places.includes(this.module)) this.module = "";
    if (this.modules.options.length !== places.length + 1 || this.places !== places.join(" ")) {
      this.places = places.join(" ");
      this.modules.replaceChildren(...["", ...places].map((name) => element("option", {value: name}, name || "all places")));
    }
    this.modules.value = this.module;
    const pinned = matrices.findIndex((m) => matrixLabel(m) === this.board.pinned);
    const candidates = matrices.map((_, i) => i).filter((i) => !this.module || matrices[i].module === this.module);
    const top = this.set === "pinned" ? [] : oftenChosen(series, candidates.filter((i) => i !== pinned), IMPORTANCE_TOP);
    const own = pinned < 0 ? top : [pinned, ...top];
    return {pinned, own, others: candidates.filter((i) => !own.includes(i))};
  }

  // What is drawn for a matrix at an event.
  #value(series, at, i) {
    if (this.view === "rank") return series.places[at][i];
    const value = series.values[at][i];
    if (!Number.isFinite(value)) return null;
    return this.view === "margin" ? value - series.events[at].threshold : value;
  }

  #drawAll(run, series) {
    const picked = this.#pick(run, series);
    this.run = run;
    this.series = series;
    this.picked = picked;
    this.layout = chartLayout(this.board.theme, this.box, {l: 50, r: IMPORTANCE_RIGHT, t: 8, b: 24});
    const traces = this.view === "chosen" ? this.#bars(run, series, picked) : this.#lines(run, series, picked);
    this.layout.uirevision = `${run.id} ${this.view}`;
    this.board.Plotly.react(this.box, traces, this.layout, chartConfig("importance"));
    if (this.bound) return;
    this.bound = true;
    const label = (event) => {
      const index = event.points[0].customdata;
      return Number.isFinite(index) ? matrixLabel(this.run.started.matrices[index]) : null;
    };
    this.box.on("plotly_hover", (event) => this.board.hover(label(event)));
    this.box.on("plotly_unhover", () => this.board.hover(null));
    this.box.on("plotly_click", (event) => this.board.pin(label(event), this.run.id));
    this.box.on("plotly_relayout", () => { this.#drawLight(); placeCursor(this.cursor, this.box, this.board.step); });
  }

  #colour(i, {pinned, own}) {
    const {theme} = this.board;
    if (i === pinned) return theme.text;
    const colour = IMPORTANCE_COLOURS[(own.indexOf(i) - (pinned < 0 ? 0 : 1)) % IMPORTANCE_COLOURS.length];
    return theme.dark ? mixColours(colour, "#ffffff", 0.25) : colour;
  }

  #lines(run, series, picked) {
    const {theme} = this.board;
    const t = series.events.map((event) => event.t);
    const traces = [this.#faint(run, series, picked.others, t)];
    const ends = [];
    for (const i of picked.own.slice().reverse()) {
      const y = t.map((_, at) => this.#value(series, at, i));
      const colour = this.#colour(i, picked);
      const chosen = series.events.map((event) => event.chosen.includes(i));
      const size = Math.max(3, Math.min(7, (3 * this.layout.width) / (10 * t.length)));
      traces.push({
        type: "scatter", mode: "lines+markers", x: t, y, customdata: t.map(() => i), line: {color: colour, width: i === picked.pinned ? 2.6 : 1.7},
        marker: {size: chosen.map((yes) => (yes ? size : 0.1)), color: colour, opacity: 1, line: {width: 0}},
        hovertext: t.map((_, at) => this.#hoverText(run, series, at, i)), hoverinfo: "text",
      });
      ends.push({text: matrixLabel(run.started.matrices[i]), colour, y: y.findLast((value) => value !== null), bold: i === picked.pinned});
    }
    if (this.view === "value") {
      traces.push({
        type: "scatter", mode: "lines", x: t, y: series.events.map((event) => event.threshold), hovertemplate: "step %{x}: threshold %{y:.3g}<extra></extra>",
        line: {color: theme.text, width: 1.6, dash: "dash", shape: "hv"},
      });
    }
    const range = this.#range(series, picked);
    this.layout.xaxis = chartAxis(theme, {range: this.#stepRange(run, t), nticks: 7, hoverformat: "d"});
    this.layout.yaxis = chartAxis(theme, this.view === "rank"
      ? {range, nticks: 6, tickformat: "d", tickvals: this.#placeTicks(series.n)}
      : {range, nticks: 5, tickformat: numberFormat(range), exponentformat: "e"});
    if (this.view === "margin") {
      this.layout.shapes = [{type: "line", xref: "paper", x0: 0, x1: 1, y0: 0, y1: 0, layer: "below", line: {color: theme.text, width: 1.3, dash: "dash"}}];
    }
    this.layout.margin.r = Math.max(this.layout.margin.r, Math.min(130, labelWidth(ends.map((end) => end.text)) + 10));
    this.layout.annotations = this.#endLabels(ends, range);
    return traces;
  }

  // From the first event to the last planned one; once the run is over, to the last there was.
  #stepRange(run, t) {
    const last = Math.max(t[t.length - 1], ...(isOver(run) ? [] : run.started.planned));
    const room = 0.03 * Math.max(20, last - t[0]);
    return [t[0] - room, last + room];
  }

  #hoverText(run, series, at, i) {
    const event = series.events[at];
    const value = series.values[at][i];
    const chosen = event.chosen.includes(i) ? `<br>rank ${event.before[i]} → ${event.ranks[i]}` : "";
    return `<b>${matrixLabel(run.started.matrices[i])}</b> step ${event.t}, place ${series.places[at][i]} of ${series.n}<br>`
      + `${series.triplets ? `weakest ${run.unit}` : "importance"} ${tidy(value)}, threshold ${tidy(event.threshold)}${chosen}`;
  }

  // All other matrices as one thin line with breaks; thinned to a number of points that stays quick.
  #faint(run, series, others, t) {
    const every = Math.max(1, Math.ceil((others.length * t.length) / IMPORTANCE_FAINT_POINTS));
    const kept = t.map((_, at) => at).filter((at) => at % every === 0 || at === t.length - 1);
    const all = this.set === "all";
    const {theme} = this.board;
    const names = others.map((i) => matrixLabel(run.started.matrices[i]));
    const hover = this.view === "rank" ? "place %{y}" : this.view === "margin" ? "margin %{y:.3g}" : "%{y:.3g}";
    return {
      type: "scatter", mode: "lines", x: others.flatMap(() => [...kept.map((at) => t[at]), null]),
      y: others.flatMap((i) => [...kept.map((at) => this.#value(series, at, i)), null]),
      customdata: others.flatMap((i) => [...kept.map(() => i), null]), text: others.flatMap((_, k) => [...kept.map(() => names[k]), ""]),
      hovertemplate: `<b>%{text}</b> step %{x}: ${hover}<extra></extra>`,
      line: {color: all ? methodColour(run, theme) : theme.grey, width: 1}, opacity: (all ? 0.55 : 0.5) * (others.length > 80 ? 0.6 : 1),
    };
  }

  #range(series, {own, others}) {
    if (this.view === "rank") return [series.n + 0.8, 0.2];
    let low = 0;
    let high = 0;
    series.events.forEach((event, at) => {
      const values = [...own, ...others].map((i) => this.#value(series, at, i) ?? 0);
      for (const value of this.view === "value" && Number.isFinite(event.threshold) ? [...values, event.threshold] : values) {
        low = Math.min(low, value);
        high = Math.max(high, value);
      }
    });
    const room = 0.06 * (high - low || 1);
    return [low < 0 ? low - room : 0, high + room];
  }

  #placeTicks(n) {
    const step = [1, 2, 5, 10, 20, 50, 100].find((one) => n / one <= 8) || 200;
    return [1, ...Array.from({length: Math.floor(n / step)}, (_, i) => (i + 1) * step).filter((place) => place > 1)];
  }

  // Names at the ends of the lines, moved apart where they would cover each other.
  #endLabels(ends, range) {
    const {height, margin} = this.layout;
    const high = height - margin.t - margin.b;
    const rows = ends.filter((end) => Number.isFinite(end.y)).map((end) => ({...end, at: ((range[1] - end.y) / (range[1] - range[0])) * high}));
    rows.sort((a, b) => a.at - b.at);
    rows.forEach((row, i) => { if (i) row.at = Math.max(row.at, rows[i - 1].at + 13); });
    for (let i = rows.length - 1, room = high - 2; i >= 0; i -= 1, room -= 13) rows[i].at = Math.min(rows[i].at, room);
    return rows.map((row) => ({
      text: row.bold ? `<b>${row.text}</b>` : row.text, x: 1, xref: "paper", xanchor: "left", y: 1 - row.at / high, yref: "paper", yanchor: "middle",
      showarrow: false, font: {size: 11, color: row.colour}, xshift: 3,
    }));
  }

  #bars(run, series, picked) {
    const {theme} = this.board;
    const all = [...picked.own, ...picked.others];
    const shown = this.set === "pinned" ? picked.own : this.set === "top" ? oftenChosen(series, all, Math.max(12, picked.own.length)) : all;
    const order = oftenChosen(series, [...new Set([...shown, ...picked.own])], series.n);
    this.order = order;
    const names = order.map((i) => matrixLabel(run.started.matrices[i]));
    const share = order.map((i) => series.counts[i] / series.events.length);
    const per = (this.layout.width - 70) / order.length;
    const every = Math.max(1, Math.ceil(13 / per));
    const places = names.map((_, place) => place).filter((place) => place % every === 0);
    const planted = order.map((i) => run.started.matrices[i].planted);
    const below = barLabels(names, per);
    Object.assign(this.layout.margin, {r: 10, b: below.room});
    this.layout.bargap = 0.18;
    this.layout.xaxis = chartAxis(theme, {
      showgrid: false, range: [-0.6, order.length - 0.4], tickvals: places, ticktext: places.map((place) => names[place]), tickangle: below.angle,
    });
    this.layout.yaxis = chartAxis(theme, {range: [0, Math.max(0.1, ...share) * 1.08], tickformat: ".0%", nticks: 5, fixedrange: true});
    return [{
      type: "bar", x: order.map((_, place) => place), y: share, customdata: order,
      marker: {
        color: methodColour(run, theme), opacity: this.set === "pinned" ? 1 : 0.9,
        line: {color: order.map((i) => (i === picked.pinned ? theme.text : PLANTED_COLOUR)), width: order.map((i, k) => (i === picked.pinned ? 2.5 : planted[k] ? 2 : 0))},
      },
      hovertext: order.map((i, k) => `<b>${names[k]}</b> ${series.counts[i]} of ${series.events.length} events${planted[k] ? `<br>planted rank ${planted[k]}` : ""}`),
      hoverinfo: "text",
    }];
  }

  // The hovered matrix: a line above the chart, without a redraw of it.
  #drawLight() {
    const full = this.box._fullLayout;
    const {hovered, theme} = this.board;
    const index = hovered && this.run ? this.run.started.matrices.findIndex((m) => matrixLabel(m) === hovered) : -1;
    this.light.replaceChildren();
    if (index < 0 || !full || !full.xaxis || !this.series) return;
    const {xaxis, yaxis} = full;
    const node = document.createElementNS("http://www.w3.org/2000/svg", "path");
    let d = "";
    if (this.view === "chosen") {
      const place = this.order.indexOf(index);
      if (place < 0) return;
      const [left, right] = [xaxis.d2p(place - 0.45), xaxis.d2p(place + 0.45)];
      d = `M${xaxis._offset + left} ${yaxis._offset + yaxis._length}H${xaxis._offset + right}V${yaxis._offset}H${xaxis._offset + left}Z`;
    } else {
      this.series.events.forEach((event, at) => {
        const value = this.#value(this.series, at, index);
        const x = xaxis.d2p(event.t);
        if (value === null || x < 0 || x > xaxis._length) return;
        const y = Math.max(0, Math.min(yaxis._length, yaxis.d2p(value)));
        d += `${d ? "L" : "M"}${(xaxis._offset + x).toFixed(1)} ${(yaxis._offset + y).toFixed(1)}`;
      });
    }
    node.setAttribute("d", d);
    node.setAttribute("stroke", theme.primary);
    this.light.append(node);
  }

  #explain(run, series) {
    const {step} = this.board;
    const of = series.triplets ? `${run.started.label} compares ${run.unit}s, not matrices: what a matrix shows is its weakest ${run.unit} before the event` : "";
    const what = {
      value: series.triplets ? `weakest ${run.unit} held; dashed: threshold` : "dashed: threshold; dots: chosen",
      rank: series.triplets ? `places by the weakest ${run.unit} held; dots: rank changed` : "place among all matrices; dots: chosen",
      margin: series.triplets ? `weakest ${run.unit} held minus threshold; from 0 down: lost` : "importance minus threshold; from 0 up: may grow",
      chosen: `share of ${series.events.length} events at which ${["prunes", "freezes"].includes(run.started.allocation) ? "its rank changed" : "it was chosen"}`,
    }[this.view];
    this.note.textContent = `${run.started.label}; ${what}`;
    this.note.title = of ? `${of}: ${what}` : what;
    const at = series.events.findLastIndex((event) => event.t <= step);
    const parts = this.picked.own.slice(0, 6).map((i) => {
      const name = matrixLabel(run.started.matrices[i]);
      return at < 0 ? name : `${name} ${tidy(series.values[at][i])} (place ${series.places[at][i]})`;
    });
    const threshold = at < 0 ? "no event yet" : `threshold ${tidy(series.events[at].threshold)}`;
    this.describe(`Importance of ${run.started.label} at step ${step}, ${threshold}: ${parts.join(", ")}.`);
  }
}
