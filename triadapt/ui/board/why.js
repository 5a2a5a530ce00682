// Why did it grow? One allocation explained: every importance, the threshold, who was chosen, in a picture and in words.
import {barLabels, chartAxis, chartConfig, chartLayout, chartSection, element, lineLabel, matrixLabel, methodColour, numberFormat, tidy} from "./theme.js";
import {keepChoice} from "./board_view.js";
import {lastAtOrBefore} from "./frames.js";
import {drawWhole, smallChoice, veilOver} from "./parts.js";
import {SlowMotion} from "./slow_motion.js";
import {AllRules, decidingRuns} from "./why_all.js";
import {keptTriplets, whyWords} from "./why_words.js";

const WHY_LABELLED = 72;
const WHY_TOP = 60;
const WHY_THIN = 0.25;
const WHY_LABEL = 16; // pixels a label needs above its line
const WHY_MODES = {one: "The rule of the run in focus", all: "The newest decision of every rule, on one picture"};

// Importance before the first event, in the form of an event that chose nobody.
function undecided(run, record) {
  const ranks = run.startRanks;
  return {t: record.t, scores: record.scores, threshold: NaN, chosen: [], before: ranks, ranks, units: []};
}

export class WhyPanel {
  constructor(board) {
    this.board = board;
    Object.assign(this, chartSection("why", "Why did it grow?"));
    this.words = element("p", {className: "tri-words"});
    this.section.insertBefore(this.words, this.holder);
    this.key = null;
    this.told = null;
    this.veil = veilOver(this);
    this.mode = "one";
    keepChoice(board, "why", this, "mode", Object.keys(WHY_MODES));
    this.modes = smallChoice("Whose rule", WHY_MODES, (value) => this.#choose(value));
    this.head.append(this.modes.node);
    this.slow = new SlowMotion(this);
    this.all = new AllRules(this);
  }

  #choose(mode) {
    this.mode = mode;
    this.key = null;
    this.board.touch("why");
    this.board.view.changed();
  }

  draw(reasons) {
    const {focus: run, step} = this.board;
    const deciding = decidingRuns(this.board.runs);
    const together = this.mode === "all" && deciding.length > 1;
    this.modes.node.hidden = deciding.length < 2;
    this.modes.mark(this.mode);
    this.section.classList.toggle("tri-all", together);
    this.words.hidden = together;
    this.veil.hidden = true;
    if (together) {
      this.told = null;
      this.slow.offer(null, null);
      this.holder.hidden = false;
      this.all.draw(reasons, deciding);
      return;
    }
    this.all.stop();
    if (!run || !run.started) {
      this.slow.offer(null, null);
      this.told = null;
      this.#blank("Nothing to explain yet.");
      return;
    }
    const at = run.eventAt(step);
    const event = at < 0 ? null : run.events[at];
    const before = event ? -1 : lastAtOrBefore(run.scores, step);
    const moment = `${run.id} ${run.version} ${at} ${before} ${run.geometry.length}`;
    const key = `${moment} ${this.board.pinned} ${this.board.hovered}`;
    if (key === this.key && !["size", "theme"].some((reason) => reasons.has(reason))) {
      if (this.slow.beat < 0) this.#tell(run, at, moment);
      return;
    }
    this.key = key;
    this.shown = moment;
    this.slow.offer(run, event);
    if (this.slow.draws(reasons)) return;
    this.#tell(run, at, moment);
    const shown = event || (before < 0 ? null : undecided(run, run.scores[before]));
    this.holder.hidden = !shown || (!shown.scores.length && !shown.units.length);
    if (this.holder.hidden) return;
    drawWhole(this, () => {
      const [bars, axis] = shown.units.length ? this.#units(run, shown) : this.#matrices(run, shown);
      this.#react(run, shown, bars, axis);
    });
  }

  // What costs little of a step, for when a drawing has to wait: the words, and a veil over the picture of another event.
  glance() {
    const {focus: run, step} = this.board;
    if (!run || !run.started || this.key === null || this.slow.beat >= 0) return;
    if (this.words.hidden) {
      this.veil.hidden = this.all.strips.every((strip) => (strip.run.events[strip.run.eventAt(step)] || null) === strip.event);
      return;
    }
    const at = run.eventAt(step);
    const before = at < 0 ? lastAtOrBefore(run.scores, step) : -1;
    const moment = `${run.id} ${run.version} ${at} ${before} ${run.geometry.length}`;
    this.veil.hidden = moment === this.shown;
    this.#tell(run, at, moment);
  }

  // Heading, note and words of an event, or of there being none yet; once for each `moment`.
  #tell(run, at, moment) {
    if (moment === this.told) return;
    this.told = moment;
    const event = at < 0 ? null : run.events[at];
    this.heading.textContent = {prunes: "Why was it pruned?", freezes: "Why was it frozen?"}[run.started.allocation] || "Why did it grow?";
    const ordinal = event && run.decisions.includes(event) ? `, event ${at + 1} of ${Math.max(run.started.planned.length, run.events.length)}` : "";
    const falls = event && event.scores.some((score) => score < 0) ? "; below zero: fell since the last event" : "";
    this.note.textContent = this.note.title = `${run.started.label}${ordinal}${falls}`;
    const words = whyWords(run, event);
    this.words.textContent = words;
    this.describe(words);
  }

  // Draws the event anew, after slow motion.
  redraw() {
    this.key = null;
    this.told = null;
    this.board.touch("slow");
  }

  #blank(words) {
    this.words.textContent = words;
    this.describe(words);
    this.holder.hidden = true;
  }

  #matrices(run, event) {
    const order = Array.from(event.scores, (_, i) => i).sort((a, b) => event.scores[b] - event.scores[a]);
    const many = order.length > WHY_LABELLED;
    const chosen = new Set(event.chosen);
    const labels = order.map((i) => matrixLabel(run.started.matrices[i]));
    const x = order.map((_, place) => (many && place >= WHY_TOP ? WHY_TOP - 0.5 + (place - WHY_TOP + 0.5) * WHY_THIN : place));
    const shown = many ? WHY_TOP : order.length;
    this.labels = labels;
    const bars = {
      x, y: order.map((i) => event.scores[i]), width: order.map((_, place) => (many && place >= WHY_TOP ? WHY_THIN : 0.82)),
      marker: {
        color: order.map((i) => (chosen.has(i) ? methodColour(run, this.board.theme) : this.board.theme.grey)),
        line: {color: this.board.theme.text, width: labels.map((label) => this.#outline(label))},
      },
      hovertext: order.map((i) => `<b>${matrixLabel(run.started.matrices[i])}</b> importance ${tidy(event.scores[i])}<br>`
        + (event.before[i] === event.ranks[i] ? `stays at rank ${event.ranks[i]}` : `rank ${event.before[i]} → ${event.ranks[i]}`)),
    };
    const per = (this.box.clientWidth - 56) / (x[x.length - 1] + 1);
    const every = Math.max(1, Math.ceil(11 / per));
    const places = order.map((_, place) => place).filter((place) => place < shown && place % every === 0);
    const names = places.map((place) => labels[place]);
    this.below = barLabels(names, per);
    const axis = {
      tickvals: places, ticktext: names, tickangle: this.below.angle,
      tickfont: {size: per * every < 13 ? 9 : 11, color: this.board.theme.quiet}, range: [-0.6, x[x.length - 1] + 0.6],
    };
    return [bars, axis];
  }

  #units(run, event) {
    const order = Array.from(event.units, (_, i) => i).sort((a, b) => event.units[b] - event.units[a]);
    const name = (i) => matrixLabel(run.started.matrices[event.unitMatrix[i]]);
    this.labels = order.map(name);
    const kept = order.map((_, place) => place < keptTriplets(event));
    const bars = {
      x: order.map((_, place) => place), y: order.map((i) => event.units[i]), width: order.map(() => (order.length > 120 ? 1 : 0.82)),
      marker: {
        color: kept.map((stays) => (stays ? methodColour(run, this.board.theme) : this.board.theme.grey)),
        line: {color: this.board.theme.text, width: this.labels.map((label) => this.#outline(label))},
      },
      hovertext: order.map((i, place) => `${run.unit} of <b>${name(i)}</b> importance ${tidy(event.units[i])}<br>${kept[place] ? "kept" : run.unit === "subspace" ? "frozen" : "pruned"}`),
    };
    return [bars, {
      title: {text: `${run.unit}s, most important first`, font: {size: 11, color: this.board.theme.quiet}, standoff: 4},
      range: [-0.6, order.length - 0.4], nticks: 8,
    }];
  }

  #outline(label) {
    return label === this.board.hovered ? 2.5 : label === this.board.pinned ? 1.5 : 0;
  }

  #react(run, event, bars, axis) {
    const {theme, Plotly} = this.board;
    const layout = chartLayout(theme, this.box, {l: 50, r: 10, t: 6, b: event.units.length ? 34 : this.below.room});
    const known = Number.isFinite(event.threshold);
    const values = [...bars.y, known ? event.threshold : 0];
    const [low, high] = [Math.min(0, ...values), Math.max(0, ...values)];
    const room = 0.06 * (high - low || 1);
    const range = [low < 0 ? low - room : 0, high > 0 || low === 0 ? high + room : 0];
    // Room for the label above the threshold, where bars at the right, the lowest, do not reach.
    const share = WHY_LABEL / (layout.height - layout.margin.t - layout.margin.b);
    if (known) range[1] = Math.max(range[1], (event.threshold - share * range[0]) / (1 - share));
    layout.bargap = 0;
    layout.uirevision = run.id;
    layout.xaxis = chartAxis(theme, {showgrid: false, ...axis});
    layout.yaxis = chartAxis(theme, {range, nticks: 5, tickformat: numberFormat(range), exponentformat: "e", fixedrange: true});
    layout.shapes = [];
    layout.annotations = [];
    if (known) {
      layout.shapes.push({
        type: "line", xref: "paper", x0: 0, x1: 1, y0: event.threshold, y1: event.threshold, line: {color: theme.text, width: 1.3, dash: "dash"},
      });
      layout.annotations.push(lineLabel(theme, `threshold ${tidy(event.threshold)}`, event.threshold));
    }
    if (event.units.length) this.#cut(layout, event);
    Plotly.react(this.box, [{type: "bar", hoverinfo: "text", textposition: "none", ...bars}], layout, chartConfig("why"));
    this.bind();
  }

  // Where the kept triplets end: the threshold alone cannot be told from the axis where importances span decades.
  #cut(layout, event) {
    const {theme} = this.board;
    const kept = keptTriplets(event);
    const cut = event.units.length - kept;
    if (!kept || !cut) return;
    const x = kept - 0.5;
    layout.shapes.push({type: "line", x0: x, x1: x, yref: "paper", y0: 0, y1: 1, line: {color: theme.text, width: 1.3, dash: "dot"}});
    layout.annotations.push({
      ...lineLabel(theme, `${kept} kept, ${cut} cut`, 1), x, xref: "x", xanchor: kept > event.units.length / 2 ? "right" : "left", yref: "paper", yanchor: "top", yshift: 0,
    });
  }

  bind() {
    if (this.bound) return;
    this.bound = true;
    this.box.on("plotly_hover", (e) => this.board.hover(this.labels[e.points[0].pointNumber]));
    this.box.on("plotly_unhover", () => this.board.hover(null));
    this.box.on("plotly_click", (e) => this.board.pin(this.labels[e.points[0].pointNumber]));
  }
}
