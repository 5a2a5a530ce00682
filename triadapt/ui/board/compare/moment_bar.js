// The moment at which all runs are compared: the end, or a step, a total rank, a time, chosen with a slider or played.
import {element} from "../theme.js";
import {smallChoice} from "../parts.js";
import {MOMENTS} from "./compared_run.js";

const THUMB = 16;
const PLAY_MS = 12000;

export class MomentBar {
  constructor(comparison) {
    this.comparison = comparison;
    this.section = element("section", {className: "tri-scrubber tri-moment", dataset: {testid: "moment"}});
    this.play = element("button", {type: "button", className: "tri-play", title: "Play from here; at the end, from the start"});
    this.kinds = smallChoice("Compared at", Object.fromEntries(Object.entries(MOMENTS).map(([kind, {title}]) => [kind, title])), (kind) => {
      this.stop();
      comparison.setMoment(kind);
    });
    for (const button of this.kinds.node.children) button.textContent = MOMENTS[button.dataset.value].word;
    this.range = element("input", {type: "range"});
    this.ticks = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    this.ticks.setAttribute("class", "tri-ticks");
    this.ticks.setAttribute("aria-hidden", "true");
    this.readout = element("output", {className: "tri-readout"});
    this.track = element("div", {className: "tri-track"}, this.ticks, this.range);
    this.section.append(this.kinds.node, this.play, this.track, this.readout);
    this.range.addEventListener("input", () => { this.stop(); this.#slide(Number(this.range.value)); });
    this.range.addEventListener("keydown", (event) => this.#key(event));
    this.play.addEventListener("click", () => (this.playing ? this.stop() : this.#start()));
    this.playing = null;
  }

  // What the slider goes over; at the end it stands at the last step and goes over steps.
  get kind() {
    const {kind} = this.comparison.moment;
    return kind === "end" ? "step" : kind;
  }

  #slide(value) {
    this.comparison.setMoment(this.kind, value);
  }

  // Marks of all rank events in what the slider goes over, by the colour of their run.
  #marks() {
    return this.comparison.runs.map((run) => ({
      colour: this.comparison.colour(run), method: run.method,
      at: this.kind !== "budget" ? Array.from(this.kind === "time" ? run.decisionTimes : run.decisions) : run.allotted ? run.totals.slice(1) : [],
    }));
  }

  // With shift, and page up and down, from rank event to rank event.
  #key(event) {
    const along = {ArrowRight: 1, ArrowUp: 1, PageUp: 1, ArrowLeft: -1, ArrowDown: -1, PageDown: -1}[event.key];
    if (!along || !(event.shiftKey || event.key.startsWith("Page"))) return;
    event.preventDefault();
    const {low, high, step} = this.comparison.limits(this.kind);
    const places = [...new Set(this.#marks().flatMap((mark) => mark.at))].map((at) => Math.ceil(at / step - 1e-6) * step).sort((a, b) => a - b);
    const now = Number(this.range.value);
    const next = along > 0 ? places.find((at) => at > now + 1e-6) : places.findLast((at) => at < now - 1e-6);
    this.stop();
    this.#slide(next ?? (along > 0 ? high : low));
  }

  #start() {
    const {low, high} = this.comparison.limits(this.kind);
    const now = Number(this.range.value);
    this.playing = {from: now >= high ? low : now, since: performance.now(), low, high};
    const advance = (time) => {
      if (!this.playing) return;
      const at = this.playing.from + ((time - this.playing.since) / PLAY_MS) * (high - low);
      if (at >= high) this.playing = null;
      else this.playing.frame = requestAnimationFrame(advance);
      this.#slide(this.kind === "time" ? Math.min(at, high) : Math.round(Math.min(at, high)));
    };
    this.playing.frame = requestAnimationFrame(advance);
    this.#slide(this.playing.from);
  }

  stop() {
    if (!this.playing) return;
    cancelAnimationFrame(this.playing.frame);
    this.playing = null;
    this.comparison.queue.touch("moment");
  }

  draw(reasons) {
    const {comparison} = this;
    const {kind, value} = comparison.moment;
    const {low, high, step} = comparison.limits(this.kind);
    Object.assign(this.range, {min: String(low), max: String(high), step: String(step)});
    this.range.value = String(kind === "end" ? high : value);
    this.range.disabled = high <= low;
    this.play.disabled = high <= low;
    this.play.dataset.playing = String(Boolean(this.playing));
    this.play.setAttribute("aria-label", this.playing ? "Stop playing" : "Play");
    this.kinds.mark(kind);
    for (const button of this.kinds.node.children) if (button.dataset.value === "budget") button.disabled = !comparison.runs.some((run) => run.allotted);
    const there = comparison.runs.filter((run) => run.standing(comparison.moment)).length;
    const words = kind === "end" ? "at the end" : {step: `step ${value}`, budget: `total rank ${value}`, time: `${value.toFixed(1)} s`}[kind];
    const text = there < comparison.runs.length ? `${words} · ${there} of ${comparison.runs.length} runs` : words;
    if (this.readout.textContent !== text) this.readout.textContent = text;
    this.range.setAttribute("aria-label", {step: "Step compared at", budget: "Total rank compared at", time: "Seconds compared at"}[this.kind]);
    this.range.setAttribute("aria-valuetext", text);
    const key = `${this.kind} ${this.track.clientWidth} ${low} ${high}`;
    if (["data", "size", "theme"].some((reason) => reasons.has(reason)) || key !== this.key) this.#drawTicks(low, high);
    this.key = key;
  }

  // A lane a method: two dozen would be thinner than a pixel.
  #drawTicks(low, high) {
    const lanes = new Map();
    for (const mark of this.#marks()) {
      if (!mark.at.length) continue;
      const lane = lanes.get(mark.method) || {colour: mark.colour, at: new Set()};
      mark.at.forEach((at) => lane.at.add(at));
      lanes.set(mark.method, lane);
    }
    const width = this.track.clientWidth;
    const height = 14;
    const each = height / Math.max(1, lanes.size);
    this.ticks.setAttribute("viewBox", `0 0 ${Math.max(width, 1)} ${height}`);
    this.ticks.innerHTML = [...lanes.values()].map(({colour, at}, lane) => {
      const d = [...at].map((value) => {
        const x = THUMB / 2 + ((value - low) / Math.max(1e-9, high - low)) * (width - THUMB);
        return `M${x.toFixed(1)} ${(lane * each).toFixed(1)}v${(each - 0.6).toFixed(1)}`;
      });
      return `<path d="${d.join("")}" stroke="${colour}" stroke-width="1.5"/>`;
    }).join("");
  }
}
