// The time scrubber: one step for all panels. Follows the end unless dragged; plays from the start on request.
import {element, methodColour} from "./theme.js";

const THUMB = 16;
const PLAY_MS = 12000;

export class Scrubber {
  constructor(board) {
    this.board = board;
    this.section = element("section", {className: "tri-scrubber", dataset: {testid: "scrubber"}});
    this.play = element("button", {type: "button", className: "tri-play", title: "Play from here; at the end, from the start"});
    this.live = element("button", {type: "button", className: "tri-live", title: "Follow the end"}, "live");
    this.range = element("input", {type: "range", min: "0", max: "1", step: "1", value: "0"});
    this.range.setAttribute("aria-label", "Step looked at");
    this.ticks = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    this.ticks.setAttribute("class", "tri-ticks");
    this.ticks.setAttribute("aria-hidden", "true");
    this.readout = element("output", {className: "tri-readout"});
    this.track = element("div", {className: "tri-track"}, this.ticks, this.range);
    this.section.append(this.play, this.track, this.readout, this.live);
    this.playing = null;
    this.range.addEventListener("input", () => board.scrub(Number(this.range.value)));
    this.range.addEventListener("keydown", (event) => this.#key(event));
    this.play.addEventListener("click", () => (this.playing ? this.stop() : this.start()));
    this.live.addEventListener("click", () => { this.stop(); board.follow(); });
  }

  // Arrows go one step; with shift, and page up and down, from rank event to rank event.
  #key(event) {
    const along = {ArrowRight: 1, ArrowUp: 1, PageUp: 1, ArrowLeft: -1, ArrowDown: -1, PageDown: -1}[event.key];
    if (!along || !(event.shiftKey || event.key.startsWith("Page"))) return;
    const steps = [...new Set(this.board.runs.flatMap((run) => run.decisions.map((one) => one.t)))].sort((a, b) => a - b);
    const next = along > 0 ? steps.find((t) => t > this.board.step) : steps.findLast((t) => t < this.board.step);
    event.preventDefault();
    this.board.scrub(next ?? (along > 0 ? this.board.end : 0));
  }

  start() {
    const {board} = this;
    const from = board.step >= board.end ? 0 : board.step;
    this.playing = {from, since: performance.now()};
    board.show(from, false);
    this.draw(new Set(["step"]));
  }

  stop() {
    this.playing = null;
    this.draw(new Set(["step"]));
  }

  // Called once an animation frame while playing.
  advance(now) {
    if (!this.playing) return;
    const {board} = this;
    const at = this.playing.from + ((now - this.playing.since) / PLAY_MS) * Math.max(1, board.end);
    if (at >= board.end) {
      this.playing = null;
      board.follow();
    } else board.show(Math.round(at), false);
  }

  draw(reasons) {
    const {board} = this;
    this.range.max = String(board.total);
    this.range.value = String(Math.max(0, board.step));
    this.range.setAttribute("aria-valuetext", `step ${board.step} of ${board.total}`);
    const readout = `step ${board.step} / ${board.total}`;
    if (this.readout.textContent !== readout) this.readout.textContent = readout;
    this.play.dataset.playing = String(Boolean(this.playing));
    this.play.setAttribute("aria-label", this.playing ? "Stop playing" : "Play");
    this.play.disabled = board.end <= 0;
    const running = board.runs.some((run) => run.status.state === "running");
    this.live.textContent = running ? "live" : "end";
    this.live.setAttribute("aria-pressed", String(board.following));
    this.track.style.setProperty("--tri-seen", `${(Math.max(0, board.end) / board.total) * 100}%`);
    const events = board.runs.map((run) => run.events.length).join();
    if (events !== this.drawnEvents || ["size", "theme"].some((reason) => reasons.has(reason))) this.#drawTicks();
    this.drawnEvents = events;
  }

  #drawTicks() {
    const {board} = this;
    const width = this.track.clientWidth;
    const rows = board.runs.filter((run) => run.decisions.length);
    const height = 14;
    const each = Math.max(2, height / Math.max(1, rows.length));
    this.ticks.setAttribute("viewBox", `0 0 ${Math.max(width, 1)} ${height}`);
    this.ticks.replaceChildren(...rows.map((run, row) => {
      const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
      const d = run.decisions.map((event) => {
        const x = THUMB / 2 + (event.t / board.total) * (width - THUMB);
        return `M${x.toFixed(1)} ${(row * each).toFixed(1)}v${(each - 0.6).toFixed(1)}`;
      });
      path.setAttribute("d", d.join(""));
      path.setAttribute("stroke", methodColour(run, board.theme));
      path.setAttribute("stroke-width", "2");
      return path;
    }));
  }
}
