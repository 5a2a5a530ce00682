// One rank event in four beats: score, sort, threshold, grow. Plays in the panel that explains the event.
import {barLabels, chartAxis, chartConfig, chartLayout, element, lineLabel, matrixLabel, methodColour, numberFormat, tidy} from "./theme.js";
import {SLOW_BEATS, beatWords} from "./slow_words.js";
import {keptTriplets} from "./why_words.js";

const SLOW_BEAT_MS = 3200;
const SLOW_SORT_MS = 900;

export class SlowMotion {
  constructor(panel) {
    this.panel = panel;
    this.board = panel.board;
    this.run = null;
    this.event = null;
    this.beat = -1;
    this.button = element("button", {className: "tri-small", type: "button", hidden: true, title: "Show this event in four beats: score, sort, threshold, grow"}, "slow motion");
    this.nextButton = element("button", {className: "tri-small", type: "button", title: "The next beat", hidden: true}, "next");
    this.button.addEventListener("click", () => (this.beat < 0 ? this.#start() : this.stop()));
    this.nextButton.addEventListener("click", () => this.#show(this.beat + 1));
    panel.head.append(element("div", {className: "tri-head-choice"}, this.nextButton, this.button));
  }

  // The event on view; another one ends what plays.
  offer(run, event) {
    if (run === this.run && event === this.event) return;
    if (this.beat >= 0) this.#end();
    this.run = run;
    this.event = event;
    this.button.hidden = !event || !(event.scores.length || event.units.length);
  }

  // Whether a beat is on view; it is drawn anew where size or theme changed.
  draws(reasons) {
    if (this.beat < 0) return false;
    if (["size", "theme"].some((reason) => reasons.has(reason))) this.#draw(false);
    return true;
  }

  stop() {
    this.#end();
    this.panel.redraw();
  }

  #end() {
    clearTimeout(this.timer);
    this.beat = -1;
    this.nextButton.hidden = true;
    this.button.textContent = "slow motion";
    this.button.setAttribute("aria-pressed", "false");
  }

  #start() {
    const event = this.event;
    this.board.scrub(this.board.step); // stays here: nothing plays on, nothing follows the end
    if (event !== this.event) return;
    this.button.textContent = "stop";
    this.button.setAttribute("aria-pressed", "true");
    this.#show(0);
  }

  #show(beat) {
    clearTimeout(this.timer);
    this.beat = beat;
    const last = beat === SLOW_BEATS.length - 1;
    this.nextButton.hidden = last;
    const still = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.#draw(beat === 1 && !still);
    if (!last && !still) this.timer = setTimeout(() => { if (this.beat === beat && this.button.isConnected) this.#show(beat + 1); }, SLOW_BEAT_MS);
  }

  #draw(animate) {
    const {panel, event} = this;
    const scores = Array.from(event.units.length ? event.units : event.scores);
    const own = event.units.length ? Array.from(event.unitMatrix) : scores.map((_, i) => i);
    // As they come: matrix after matrix; `place[i]` is where bar i stands once sorted.
    const first = scores.map((_, i) => i).sort((a, b) => own[a] - own[b] || a - b);
    const sorted = first.slice().sort((a, b) => scores[b] - scores[a]);
    const place = new Array(scores.length);
    (this.beat === 0 || animate ? first : sorted).forEach((i, at) => { place[i] = at; });
    panel.labels = own.map((i) => matrixLabel(this.run.started.matrices[i]));
    panel.words.textContent = beatWords(this.run, event, this.beat);
    panel.words.setAttribute("aria-live", "polite");
    panel.describe(panel.words.textContent);
    panel.holder.hidden = false;
    this.#react(scores, place, this.beat === 0 ? first : animate ? null : sorted, sorted);
    if (animate) this.#sort(sorted);
  }

  // Bars slide to their sorted places; names come back when they stand.
  #sort(sorted) {
    const x = new Array(sorted.length);
    sorted.forEach((i, at) => { x[i] = at; });
    const {board, panel, event} = this;
    const settle = () => { if (this.beat === 1 && this.event === event) this.#draw(false); };
    if (!board.Plotly.animate) { settle(); return; } // the replay draws without Plotly
    board.Plotly.animate(panel.box, {data: [{x}], traces: [0]}, {
      transition: {duration: SLOW_SORT_MS, easing: "cubic-in-out"}, frame: {duration: SLOW_SORT_MS, redraw: false}, mode: "immediate",
    }).then(settle, settle);
  }

  // `order`: the bars from left to right, null while they move.
  #react(scores, place, order, sorted) {
    const {board, panel, event, run} = this;
    const {theme, Plotly} = board;
    const triplets = event.units.length > 0;
    const passed = new Set(triplets ? sorted.slice(0, keptTriplets(event)) : event.chosen);
    const shown = this.beat === 3;
    const per = (panel.box.clientWidth - 60) / scores.length;
    const every = Math.max(1, Math.ceil(13 / per));
    const ticks = (order || []).map((_, at) => at).filter((at) => at % every === 0);
    const below = barLabels(panel.labels, per);
    const layout = chartLayout(theme, panel.box, {l: 50, r: 10, t: 18, b: triplets ? 34 : below.room});
    layout.xaxis = chartAxis(theme, {
      showgrid: false, range: [-0.6, scores.length - 0.4], fixedrange: true, tickangle: below.angle,
      ...(triplets ? {showticklabels: false, title: {
        text: this.beat ? `${run.unit}s, most important first` : `${run.unit}s, matrix after matrix`, font: {size: 11, color: theme.quiet}, standoff: 4,
      }} : {tickvals: ticks, ticktext: ticks.map((at) => panel.labels[order[at]])}),
    });
    const [low, high] = [Math.min(0, ...scores), Math.max(0, ...scores)];
    const room = 0.08 * (high - low || 1);
    const range = [low < 0 ? low - room : 0, high + room];
    layout.yaxis = chartAxis(theme, {range, nticks: 5, tickformat: numberFormat(range), exponentformat: "e", fixedrange: true});
    layout.bargap = 0;
    layout.uirevision = `${run.id} slow`;
    if (this.beat >= 2 && Number.isFinite(event.threshold)) {
      layout.shapes = [{type: "line", xref: "paper", x0: 0, x1: 1, y0: event.threshold, y1: event.threshold, line: {color: theme.text, width: 1.3, dash: "dash"}}];
      layout.annotations = [lineLabel(theme, `threshold ${tidy(event.threshold)}`, event.threshold)];
    }
    const change = (i) => (!triplets && passed.has(i) && event.ranks[i] !== event.before[i] ? `${event.before[i]}→${event.ranks[i]}` : "");
    const color = scores.map((_, i) => (shown && passed.has(i) ? methodColour(run, theme) : theme.grey));
    Plotly.react(panel.box, [{
      type: "bar", x: place, y: scores, width: scores.map(() => (scores.length > 120 ? 1 : 0.82)), marker: {color, line: {width: 0}},
      text: shown ? scores.map((_, i) => change(i)) : [], textposition: "outside", textangle: 0, cliponaxis: false,
      textfont: {size: 11, color: theme.text}, hoverinfo: "text",
      hovertext: scores.map((score, i) => `${triplets ? `${run.unit} of ` : ""}<b>${panel.labels[i]}</b> importance ${tidy(score)}`),
    }], layout, chartConfig("why"));
    panel.bind();
  }
}
