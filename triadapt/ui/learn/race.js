// The race of a lesson: trained live by the server, or played from a recording. Both are real; the reader chooses.
import {matrixList} from "../board/frames.js";
import {element, mixColours} from "../board/theme.js";

const OVER = ["finished", "stopped", "failed", "recorded", "interrupted", "damaged"];
const WHOLE = ["finished", "recorded"];

// A run as the server sent it (triadapt/views/lessons/runs.py).
export class LessonRun {
  constructor(part) {
    Object.assign(this, part);
    this.matrices = part.matrices ? matrixList(part.matrices) : [];
    this.n = this.matrices.length;
  }

  get started() { return this.n > 0; }
  get over() { return OVER.includes(this.state); }

  // Whether it came to its end: only such runs settle anything.
  get whole() { return this.started && WHOLE.includes(this.state) && this.metricAtEnd !== null; }
  get end() { return this.total_step; }

  // How many rank events lie at or before a step.
  eventsAt(step) { return this.events.filter((at) => at <= step).length; }

  ranksAt(step = Infinity) {
    const row = this.eventsAt(step);
    return Array.from(this.ranks.subarray(row * this.n, (row + 1) * this.n));
  }

  totalAt(step = Infinity) { return this.ranksAt(step).reduce((sum, rank) => sum + rank, 0); }

  scoresOf(event) { return Array.from(this.scores.subarray(event * this.n, (event + 1) * this.n)); }

  get totals() {
    const rows = this.events.length + 1;
    return Array.from({length: rows}, (_, row) => this.ranks.subarray(row * this.n, (row + 1) * this.n).reduce((sum, rank) => sum + rank, 0));
  }

  get metricAtEnd() { return this.metrics.value.length ? this.metrics.value[this.metrics.value.length - 1] : null; }

  get planted() { return this.matrices.map((matrix) => matrix.planted || 0); }

  // Share of the ranks that stand on planted matrices: of all, and of those that were gained since the start.
  onPlanted(step = Infinity, gained = false) {
    const start = this.ranksAt(-1);
    const ranks = this.ranksAt(step).map((rank, i) => (gained ? Math.max(0, rank - start[i]) : rank));
    const total = ranks.reduce((sum, rank) => sum + rank, 0);
    return total ? ranks.reduce((sum, rank, i) => sum + (this.matrices[i].planted ? rank : 0), 0) / total : null;
  }

  colourIn(theme) { return theme.dark ? mixColours(this.colour, "#ffffff", 0.22) : this.colour; }

  stairs(theme) {
    return {label: this.called, colour: this.colourIn(theme), dash: this.dash, stairs: true, x: [0, ...this.events], y: this.totals, until: this.whole ? this.end : Math.max(0, this.last)};
  }

  lossLine(theme) {
    return {label: this.called, colour: this.colourIn(theme), dash: this.dash, x: Array.from(this.losses.t), y: Array.from(this.losses.value)};
  }

  metricLine(theme) {
    return {label: this.called, colour: this.colourIn(theme), dash: this.dash, x: Array.from(this.metrics.t), y: Array.from(this.metrics.value)};
  }
}

// Puts the recorded run whose scores a lesson shows into its state, once, at its event `first`; `slider` chooses another.
export function takeScores(data, state, slider, first) {
  const run = (data.scores_of?.runs || []).find((one) => one.method === "triadaptlora");
  if (!run || state.run) return;
  state.run = run;
  state.event = Math.min(first, run.events.length - 1);
  slider.set(state.event, {max: run.events.length - 1});
}

// Two buttons, a line that says how the race stands, and the runs. shown(runs, kind) is called with every news of what the reader
// chose to see; kind is `live` or `recorded`.
export class RacePanel {
  constructor(stage, {values = () => ({}), recorded = "Show the recorded run", run = "Train it now", shown = () => {}, help = "Trains this race on the server, a few seconds", withSeed = true} = {}) {
    Object.assign(this, {stage, values, shown});
    this.kind = null;
    this.live = element("button", {type: "button", className: "ln-go", dataset: {testid: "train"}, title: help}, run);
    this.replay = element("button", {type: "button", className: "ln-quiet", dataset: {testid: "recorded"}, title: "Shows a run that was trained before; asks the server for nothing"}, recorded);
    this.cancel = element("button", {type: "button", className: "ln-quiet", hidden: true, title: "Take this race out of the queue, or end it"}, "Cancel");
    this.seed = element("input", {type: "number", min: 0, max: 9999, step: 1, title: "Seed of the task, the data and the start: another seed is another truth"});
    this.seed.value = stage.learn.spec.seed;
    this.seed.setAttribute("aria-label", "Seed");
    this.status = element("p", {className: "ln-status", role: "status"});
    const seed = withSeed ? [element("label", {className: "ln-seed"}, "seed ", this.seed)] : [];
    this.node = element("div", {className: "ln-race", dataset: {testid: "race"}}, element("div", {className: "ln-buttons"}, this.live, ...seed, this.replay, this.cancel), this.status);
    this.live.addEventListener("click", () => this.#train());
    this.replay.addEventListener("click", () => this.show("recorded"));
    this.cancel.addEventListener("click", () => {
      stage.learn.order("stop", {lesson: stage.spec.slug});
      this.status.textContent = "Stopping.";
    });
    stage.onData(() => this.heard());
  }

  get runs() {
    const {data} = this.stage;
    const found = data && data[this.kind];
    return found ? found.runs : [];
  }

  // Whether all that is on view came to its end.
  get over() { return this.runs.length > 0 && this.runs.every((run) => run.whole); }

  show(kind) {
    this.kind = kind;
    this.heard();
    this.stage.draw();
  }

  #train() {
    const seed = Number(this.seed.value);
    if (!Number.isInteger(seed) || seed < 0 || seed > 9999) {
      this.status.textContent = `seed = ${this.seed.value || "nothing"}: a whole number from 0 to 9999`;
      return;
    }
    this.asked = this.stage.learn.run(this.stage.spec.slug, {...this.values(), ...(seed === this.stage.learn.spec.seed ? {} : {seed})});
    this.kind = "live";
    this.status.textContent = "Asking for its turn.";
    this.live.disabled = true;
  }

  heard() {
    const {data, learn} = this.stage;
    if (!data) return;
    const live = data.live;
    const busy = Boolean(live && !live.over);
    if (!this.kind && live) this.kind = "live";
    // Who has answered before sees again what it was about.
    if (!this.kind && data.recorded && this.stage.asks.some((ask) => ask.waiting && !ask.waiting.fresh)) this.kind = "recorded";
    const behind = this.asked > data.heeded; // what came is no answer to the press yet
    this.live.disabled = busy || behind || !learn.mayTrain;
    this.live.hidden = !learn.mayTrain;
    this.seed.disabled = busy || !learn.mayTrain;
    this.seed.closest("label")?.toggleAttribute("hidden", !learn.mayTrain);
    this.replay.hidden = !data.recorded;
    this.cancel.hidden = !(busy && live.mine);
    if (behind) return;
    this.status.textContent = this.#words(data, live);
    this.status.classList.toggle("ln-wrong", Boolean(data.problem || (this.kind === "live" && live?.error)));
    this.node.dataset.state = this.kind === "live" && live ? (live.over ? "over" : "busy") : this.kind || "none";
    if (this.kind && this.runs.length) this.shown(this.runs, this.kind);
  }

  #words(data, live) {
    if (data.problem) return data.problem;
    if (this.kind === "recorded") return "Recorded: trained before, played from its file.";
    if (!live) return this.stage.learn.mayTrain ? "" : "Your teacher has kept training for later; the recorded run shows the same.";
    if (live.error) return `It failed: ${live.error}`;
    const run = live.runs[0];
    if (live.over && !live.runs.every((one) => one.whole)) return run && run.started ? `Ended early, at step ${run.last + 1} of ${run.end}.` : "Taken out of the queue.";
    if (live.over) return `Trained here, seed ${live.seed}.`;
    return live.message || (run && run.started ? `Training: step ${run.last + 1} of ${run.end}.` : "Making model and data.");
  }
}
