// The live board: every panel of a race in one component. Frames come in through `push`; nothing goes back but the name of the
// copy that is held. Zoom, scrub position, pin and focus live here and survive every refresh.
import {Held} from "./frames.js";
import {applyTheme, element, matrixLabel, readTheme} from "./theme.js";
import {unpackFrame} from "./frames.js";
import {RankMap} from "./rankmap.js";
import {BudgetCurve} from "./budget_curve.js";
import {LossCurve, MetricCurve} from "./curves.js";
import {BoardView, keepBoardView} from "./board_view.js";
import {WhyPanel} from "./why.js";
import {MatrixPanel} from "./matrix.js";
import {HistoryPanel} from "./history.js";
import {ImportancePanel} from "./importance.js";
import {SharedPanel} from "./shared.js";
import {Scrubber} from "./scrubber.js";
import {HealthLine} from "./health.js";
import {Chips} from "./chips.js";
import {emptyWords} from "./empty_words.js";
import {drawFirstLook} from "./first_look.js";
import {copyPlotlyStyle, linkStyle, loadPlotly} from "./load_plotly.js";
import {Pace} from "./pace.js";

const FRAME_BUDGET_MS = 24; // of one animation frame; panels that do not fit are drawn in the next
const NEAR_PX = 150; // panels further outside the window wait with what they have to draw

export class Board {
  // tell: called with the name of the copy that is held, empty when something of it is missing.
  constructor(root, Plotly, {tell, autoplay} = {}) {
    this.root = root;
    this.Plotly = Plotly;
    this.tell = tell || (() => {});
    this.autoplay = autoplay !== false;
    this.held = new Held();
    this.step = 0;
    this.following = true;
    this.pinned = null;
    this.hovered = null;
    this.focusId = null;
    this.xKind = "step";
    this.zoom = null;
    this.pinChosen = false;
    this.view = new BoardView();
    keepBoardView(this);
    this.counts = {refreshes: 0, fulls: 0};
    this.told = null;
    this.theme = readTheme(root);
    this.#build();
    this.#watch();
  }

  get runs() { return this.held.runs; }
  get total() { return this.held.total; }
  get end() { return Math.max(0, this.held.last); }
  get focus() { return this.runs.find((run) => run.id === this.focusId) || this.runs.find((run) => run.started) || this.runs[0] || null; }

  // One message of the server.
  push(bytes) {
    const frame = unpackFrame(bytes);
    const {fresh, changed, missing} = this.held.apply(frame);
    this.counts.refreshes += 1;
    if (frame.full && changed) this.counts.fulls += 1;
    if (missing) this.#tellHeld("");
    else if (frame.full) this.#tellHeld(frame.copy);
    if (fresh) this.#restart();
    if (fresh && this.view.enter(this.held.view)) this.awaitingPlay = false;
    else if (!fresh) this.view.adoptPin();
    if (fresh) this.refused.replaceChildren(...this.view.refused.map((line) => element("p", {className: "tri-warning"}, line)));
    if (this.following) this.step = this.end;
    this.pace.busy = this.runs.some((run) => run.status.state === "running");
    if (this.runs.some((run) => run.started)) this.step = Math.min(this.step, this.total); // else nobody knows where it ends
    this.#choosePin();
    if (!fresh && !this.view.timer) this.view.flush();
    if (changed || fresh) this.touch("data", "step");
    this.refreshTheme();
    this.#publish();
  }

  // The server repeats a full copy until it hears that it is here. Of a gap it hears once; only a full copy closes it.
  #tellHeld(copy) {
    if (copy === this.told) return;
    this.told = copy;
    if (copy !== undefined) this.tell(copy);
  }

  // Another view: what the visitor had chosen belongs to the old one.
  #restart() {
    this.following = true;
    this.pinned = null;
    this.pinChosen = false;
    this.hovered = null;
    this.focusId = null;
    this.xKind = "step";
    this.zoom = null;
    this.scrubber.playing = null;
    this.awaitingPlay = this.autoplay;
  }

  #maybePlay() {
    if (!this.awaitingPlay || !this.runs.length || this.end <= 0) return;
    this.awaitingPlay = false;
    if (!this.runs.every((run) => run.status.state === "recorded")) return;
    if (window.matchMedia("(prefers-reduced-motion: reduce)").matches) return;
    this.scrubber.start();
  }

  #choosePin() {
    const run = this.focus;
    if (this.pinned || !run || !run.started) return;
    const most = run.started.matrices.reduce((best, m) => ((m.planted || 0) > (best ? best.planted : 0) ? m : best), null);
    const last = run.events.length ? run.events[run.events.length - 1].chosen[0] : undefined;
    const matrix = most || run.started.matrices[last];
    if (matrix) this.pinned = matrixLabel(matrix);
  }

  // -- what the visitor does ------------------------------------------------------------------------------------------
  scrub(step) {
    this.pace.movedAt = performance.now();
    this.scrubber.playing = null;
    this.awaitingPlay = false;
    this.show(Math.min(step, this.end), false);
  }

  show(step, following) {
    this.following = following;
    this.step = Math.max(0, Math.min(this.total, step));
    this.touch("step", "hand");
    this.view.changed();
    this.#publish();
  }

  follow() {
    this.awaitingPlay = false;
    this.show(this.end, true);
  }

  hover(label) {
    if (label === this.hovered) return;
    this.hovered = label;
    this.touch("hover");
  }

  pin(label, runId) {
    if (!label) return;
    this.pinned = label;
    this.pinChosen = true;
    if (runId) this.focusId = runId;
    this.touch("pin", "focus");
    this.view.pinned(label);
  }

  setFocus(id) {
    this.focusId = id;
    this.touch("focus");
    this.view.changed();
  }

  // A part of the view by name, such as what the charts over time are drawn against.
  choose(name, value) {
    if (name === "x") this.zoom = null;
    this.view.set(name, value);
    this.touch("axis");
  }

  // The range of x in all charts over time; null: everything.
  setZoom(range) {
    if (String(range) === String(this.zoom)) return;
    this.zoom = range;
    this.touch("axis");
    this.view.changed();
  }

  labelAt(map, [row, column]) {
    const index = map.grid.index[row][column];
    return index < 0 ? null : matrixLabel(map.run.started.matrices[index]);
  }

  // -- drawing: at most once an animation frame, and only what changed -------------------------------------------------
  touch(...reasons) {
    for (const waiting of this.pending.values()) for (const reason of reasons) waiting.add(reason);
    this.#draw();
  }

  // Draw in the next animation frame; with `wait`, in one some milliseconds from now, unless there is a reason before.
  #draw(wait = 0) {
    if (this.resting && !wait) {
      clearTimeout(this.frame);
      this.frame = 0;
    }
    if (this.frame || this.gone) return;
    this.resting = wait > 0;
    this.frame = this.resting ? setTimeout(() => this.#draw(), wait) : requestAnimationFrame((now) => this.#drawFrame(now));
  }

  #drawFrame(now) {
    this.frame = 0;
    if (this.gone) return;
    const hasData = this.runs.some((run) => run.started);
    this.#drawEmpty(hasData);
    if (!hasData) {
      this.chips.draw();
      for (const waiting of this.pending.values()) waiting.clear();
      return;
    }
    if (!this.root.clientWidth) return; // hidden; the resize observer calls again
    this.#maybePlay();
    // While it plays every panel shows the same step: the next one comes when all have drawn this one, but for the slow.
    if (!this.#behind()) this.scrubber.advance(now);
    this.pace.playing = Boolean(this.scrubber.playing);
    const until = performance.now() + FRAME_BUDGET_MS;
    const first = this.turn;
    const near = this.panels.filter((panel) => this.#isNear(panel));
    for (let i = 0; i < this.panels.length; i += 1) {
      const at = (first + i) % this.panels.length;
      const panel = this.panels[at];
      const waiting = this.pending.get(panel);
      if (!waiting.size || !near.includes(panel)) continue;
      const began = performance.now();
      const reasons = this.pace.due(panel, waiting, began);
      if (!reasons.size) continue;
      const drawn = !panel.box || panel.box.data;
      panel.draw(reasons);
      const ended = performance.now();
      if (drawn) this.pace.spent(ended - began, ended); // the first time is not like the others
      if (panel.holder) this.turn = (at + 1) % this.panels.length;
      if (performance.now() > until) break;
    }
    const ended = performance.now();
    const left = near.filter((panel) => this.pending.get(panel).size);
    const waits = left.map((panel) => this.pace.wait(panel, this.pending.get(panel), ended));
    left.forEach((panel, i) => { if (waits[i] && panel.glance) panel.glance(); });
    if (left.length || this.scrubber.playing) this.#draw(this.scrubber.playing ? 0 : Math.min(...waits));
    this.#publish();
  }

  // Whether a panel on view has yet to draw the step on view, and need not wait.
  #behind() {
    const now = performance.now();
    const waits = (panel) => this.pace.wait(panel, this.pending.get(panel), now) > 0;
    return this.panels.some((panel) => this.pending.get(panel).has("hand") && this.#isNear(panel) && !waits(panel));
  }

  // Whether a panel is on the screen or close to it. Asked once; from then on the observer tells.
  #isNear(panel) {
    if (!panel.holder) return true;
    if (!this.near.has(panel)) {
      const {top, bottom} = panel.section.getBoundingClientRect();
      this.near.set(panel, bottom > -NEAR_PX && top < window.innerHeight + NEAR_PX);
    }
    return this.near.get(panel);
  }

  #drawEmpty(hasData) {
    this.grid.hidden = !hasData;
    this.scrubber.section.hidden = !hasData;
    this.health.section.hidden = !hasData;
    this.empty.hidden = hasData;
    if (hasData) return;
    const text = this.held.view === null ? "Loading." : emptyWords(this.runs);
    if (this.empty.textContent !== text) this.empty.textContent = text;
  }

  #publish() {
    const {dataset} = this.root;
    dataset.refreshes = String(this.counts.refreshes);
    dataset.fulls = String(this.counts.fulls);
    dataset.step = String(this.step);
    dataset.following = String(this.following);
    dataset.points = String(this.held.points);
    dataset.view = this.held.view || "";
  }

  #build() {
    this.root.classList.add("tri-board");
    this.chips = new Chips(this);
    this.rankMap = new RankMap(this);
    this.budget = new BudgetCurve(this);
    this.loss = new LossCurve(this);
    this.metric = new MetricCurve(this);
    this.why = new WhyPanel(this);
    this.matrix = new MatrixPanel(this);
    this.scrubber = new Scrubber(this);
    this.health = new HealthLine(this);
    this.history = new HistoryPanel(this);
    this.importance = new ImportancePanel(this);
    this.shared = new SharedPanel(this);
    this.panels = [
      this.scrubber, this.chips, this.rankMap, this.budget, this.loss, this.metric, this.why, this.matrix, this.history, this.importance, this.shared, this.health,
    ];
    this.pending = new Map(this.panels.map((panel) => [panel, new Set()]));
    this.near = new Map();
    this.pace = new Pace();
    this.turn = 0;
    this.empty = element("p", {className: "tri-empty", role: "status"}, "");
    const time = element("div", {className: "tri-time"}, this.budget.section, this.loss.section, this.metric.section);
    this.grid = element("div", {className: "tri-grid"}, this.rankMap.section, time, this.why.section, this.matrix.section, this.history.section, this.importance.section, this.shared.section);
    this.refused = element("div", {className: "tri-refused", role: "status"});
    this.root.replaceChildren(this.chips.section, this.chips.errors, this.refused, this.empty, this.grid, this.scrubber.section, this.health.section);
    applyTheme(this.root, this.theme);
    this.#drawEmpty(false);
    this.#publish();
  }

  refreshTheme() {
    const theme = readTheme(this.root);
    if (JSON.stringify(theme) === JSON.stringify(this.theme)) return;
    this.theme = theme;
    applyTheme(this.root, theme);
    this.touch("theme");
  }

  #watch() {
    this.sizes = new ResizeObserver(() => this.touch("size"));
    for (const panel of this.panels) if (panel.holder) this.sizes.observe(panel.holder);
    this.sizes.observe(this.root);
    this.places = new IntersectionObserver((entries) => {
      if (this.grid.hidden) return;
      for (const {target, isIntersecting} of entries) this.near.set(this.panels.find((panel) => panel.section === target), isIntersecting);
      this.touch();
    }, {rootMargin: `${NEAR_PX}px 0px`});
    for (const panel of this.panels) if (panel.holder) this.places.observe(panel.section);
    this.themes = new MutationObserver(() => this.refreshTheme());
    for (let node = this.root.parentNode; node; node = node.parentNode || node.host) {
      if (node instanceof Element) this.themes.observe(node, {attributes: true, attributeFilter: ["style", "class", "data-theme"]});
    }
    this.scheme = window.matchMedia("(prefers-color-scheme: dark)");
    this.onScheme = () => this.refreshTheme();
    this.scheme.addEventListener("change", this.onScheme);
  }

  destroy() {
    this.gone = true;
    this.view.close();
    (this.resting ? clearTimeout : cancelAnimationFrame)(this.frame);
    this.sizes.disconnect();
    this.places.disconnect();
    this.themes.disconnect();
    this.scheme.removeEventListener("change", this.onScheme);
    for (const panel of this.panels) if (panel.box && panel.box.data) this.Plotly.purge(panel.box);
    this.root.replaceChildren();
  }
}

// Entry of a Streamlit component (v2). Called again with every new data: the board stays, only the frame is new.
export default function mountBoard({parentElement, data, setStateValue}) {
  let mount = parentElement.triBoard;
  if (!mount) {
    const root = document.createElement("div");
    parentElement.append(root);
    mount = {root, board: null, waiting: [], last: null};
    parentElement.triBoard = mount;
    // Plotly keeps the page busy for a second, so the first look is painted before it is asked for. A hidden tab paints
    // nothing, hence the timer.
    const painted = new Promise((resolve) => {
      requestAnimationFrame(() => setTimeout(resolve, 0));
      setTimeout(resolve, 200);
    });
    const ready = Promise.all([painted.then(loadPlotly), linkStyle(root)]);
    ready.then(([Plotly]) => {
      if (mount.gone) return;
      copyPlotlyStyle(root);
      mount.board = new Board(root, Plotly, {tell: (copy) => mount.tell("have", copy)});
      mount.waiting.splice(0).forEach((bytes) => mount.board.push(bytes));
    }).catch((error) => { root.textContent = error.message; });
  }
  mount.tell = setStateValue || (() => {});
  if (data && data !== mount.last) {
    mount.last = data;
    if (mount.board) mount.board.push(data);
    else {
      if (!mount.waiting.length) drawFirstLook(mount.root, data);
      mount.waiting.push(data);
    }
  } else if (mount.board) mount.board.refreshTheme();
  // Streamlit also calls this when newer data overtook a call that was still loading; only a detached root is an unmount.
  // And a root that is off the page for a moment, while Streamlit draws its place anew, has been called again by then.
  const mounted = mount.mounted = (mount.mounted || 0) + 1;
  return () => setTimeout(() => {
    if (mount.root.isConnected || mount.mounted !== mounted) return;
    mount.gone = true;
    if (mount.board) mount.board.destroy();
    delete parentElement.triBoard;
  }, 0);
}
