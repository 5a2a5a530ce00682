// The comparison: maps of all runs, their difference, curves and numbers in one component, linked. All states of all runs are
// here, so a moment is chosen without the server. Entry of a Streamlit component (v2).
import {AgreementPanel} from "./agreement_panel.js";
import {AroundEventsPanel} from "./around_events_panel.js";
import {CurvesPanel} from "./curves_panel.js";
import {DifferencePanel} from "./difference_panel.js";
import {FieldsPanel} from "./fields_panel.js";
import {MomentBar} from "./moment_bar.js";
import {NumbersPanel} from "./numbers_panel.js";
import {PanelQueue} from "./panel_queue.js";
import {ParetoPanel} from "./pareto_panel.js";
import {PinnedPanel} from "./pinned_panel.js";
import {RankMaps} from "./rank_maps.js";
import {ComparedRun, GroupMean} from "./compared_run.js";
import {keepCompareView} from "./compare_view.js";
import {BoardView} from "../board_view.js";
import {matrixList, unpackFrame} from "../frames.js";
import {applyTheme, element, mixColours, readTheme} from "../theme.js";
import {copyPlotlyStyle, linkStyle, loadPlotly} from "../load_plotly.js";

const SETTLED_MS = 150;

export class Comparison {
  constructor(root) {
    this.root = root;
    this.runs = [];
    this.groups = [];
    this.means = [];
    this.moment = {kind: "end", value: 0};
    this.pinned = null;
    this.hovered = null; // label of a matrix
    this.lit = null; // id of a run or of a group's mean
    // What the visitor chose in the panels, by its name in the address.
    this.choice = {y: "metric", x: "step", band: "range", mean: 10, kind: null, rows: null, ref: null, a: null, b: null};
    this.view = new BoardView();
    keepCompareView(this);
    this.theme = readTheme(root);
    this.#build();
    this.#watch();
  }

  // -- data -----------------------------------------------------------------------------------------------------------
  push(bytes) {
    const frame = unpackFrame(bytes);
    this.frame = frame;
    this.runs = frame.runs.map((part) => new ComparedRun(part, matrixList({...frame.matrices[part.matrices], planted: part.planted})));
    this.groups = frame.groups;
    this.members = this.groups.map((_, group) => this.runs.filter((run) => run.group === group));
    this.means = this.members.filter((members) => members.length > 1).map((members) => new GroupMean(this.groups[members[0].group], members));
    this.several = this.means.length > 0;
    const name = `compare ${this.runs.map((run) => run.id).join(",")}`;
    if (name !== this.name) {
      this.name = name;
      this.view.enter(name);
    } else {
      this.view.adoptPin();
      this.view.flush();
    }
    this.#clamp();
    this.bar.section.hidden = this.runs.every((run) => run.events.length === 0 && run.last < 1);
    this.difference.section.hidden = this.runs.length < 2;
    this.agreement.section.hidden = this.runs.length < 2;
    this.pareto.section.hidden = this.runs.length < 2;
    this.around.section.hidden = this.runs.every((run) => run.around.Events === null && !run.decisions.length);
    this.refreshTheme();
    this.width = this.root.clientWidth; // the observer's first word of it is no news
    this.queue.touch("data");
    this.queue.drawNow();
    this.#publish();
  }

  // Runs and means of groups by id.
  get everyone() {
    return [...this.runs, ...this.means];
  }

  one(id) {
    return this.everyone.find((one) => one.id === id) || null;
  }

  get t975() { return this.frame.t975; }

  // Which kind of task and metric is drawn where values of several cannot be held against each other; the first that most
  // runs are of, unless chosen.
  get kind() {
    const {kinds} = this.frame;
    if (this.choice.kind !== null && this.choice.kind < kinds.length) return this.choice.kind;
    const counts = kinds.map((_, kind) => this.runs.filter((run) => run.kind === kind).length);
    return counts.indexOf(Math.max(...counts));
  }

  // Colour of a run: its method's, clearly darker or lighter where several groups have one method; their dashes differ, too.
  colour(run) {
    const base = this.theme.dark ? mixColours(run.colour, "#ffffff", 0.22) : run.colour;
    if (!run.place) return base;
    return mixColours(base, run.place % 2 ? this.theme.text : this.theme.background, Math.min(0.65, 0.25 + 0.2 * Math.ceil(run.place / 2)));
  }

  // Shared top of the rank scale, as on the play page: twice the average of the budget, or the highest rank of any run
  // that has one of its own.
  get ceiling() {
    if (this.ceilingOf !== this.frame) {
      const allotted = this.runs.filter((run) => run.allotted); // an effective rank may be as large as the matrix
      const most = (allotted.length ? allotted : this.runs).map((run) => Math.max(Math.ceil((2 * run.target) / run.matrices.length), ...run.ranks.map((ranks) => ranks.reduce((a, b) => Math.max(a, b), 0))));
      this.ceilingOf = this.frame;
      this.highest = Math.max(1, ...most);
    }
    return this.highest;
  }

  // Lowest and highest value of a kind of moment, its step, and how far all runs go.
  limits(kind) {
    const {runs} = this;
    if (kind === "budget") {
      const allotted = runs.filter((run) => run.allotted);
      if (!allotted.length) return {low: 0, high: 0, step: 1, common: 0};
      const totals = allotted.flatMap((run) => [Math.min(...run.totals), Math.max(...run.totals)]);
      return {low: Math.min(...totals), high: Math.max(...totals), step: 1, common: Math.min(...allotted.map((run) => run.totals[run.totals.length - 1]))};
    }
    if (kind === "time") {
      const ends = runs.map((run) => Math.floor(10 * run.lastTime) / 10);
      return {low: 0, high: Math.max(...ends), step: 0.1, common: Math.min(...ends)};
    }
    const ends = runs.map((run) => Math.max(0, run.last));
    return {low: 0, high: Math.max(...ends), step: 1, common: Math.min(...ends)};
  }

  #clamp() {
    if (this.moment.kind === "budget" && !this.runs.some((run) => run.allotted)) this.moment = {kind: "end", value: 0};
    if (this.moment.kind === "end") return;
    const {low, high} = this.limits(this.moment.kind);
    this.moment.value = Math.max(low, Math.min(high, this.moment.value));
  }

  // -- what the visitor does ------------------------------------------------------------------------------------------
  setMoment(kind, value) {
    this.moment = {kind, value: kind === "end" ? 0 : Number(value ?? this.limits(kind).common)};
    this.#clamp();
    this.queue.touch("moment");
    clearTimeout(this.settling);
    this.settling = setTimeout(() => {
      this.settling = 0;
      this.queue.touch("settled");
    }, SETTLED_MS);
    this.view.changed();
    this.#publish();
  }

  hover(label) {
    if (label === this.hovered) return;
    this.hovered = label;
    this.queue.touch("hover");
  }

  // Pins a matrix; the pinned one again: pins nothing.
  pin(label) {
    if (!label) return;
    this.pinned = label === this.pinned ? null : label;
    this.queue.touch("pin");
    this.view.pinned(this.pinned);
    this.#publish();
  }

  light(id) {
    if (id === this.lit) return;
    this.lit = id;
    this.queue.touch("lit");
  }

  choose(name, value) {
    this.choice[name] = value;
    this.queue.touch("choice");
    this.view.changed();
  }

  // Whether everything in sight is drawn and nothing moves.
  get rests() {
    return this.queue.rests && !this.settling;
  }

  // Plotly; null where it does not load, and the charts stay as they are.
  async loadPlotly() {
    const Plotly = await loadPlotly().catch(() => null);
    if (Plotly) copyPlotlyStyle(this.root);
    return this.gone ? null : Plotly;
  }

  // -- the page -------------------------------------------------------------------------------------------------------
  #build() {
    this.root.classList.add("tri-board", "tri-compare");
    this.bar = new MomentBar(this);
    this.maps = new RankMaps(this);
    this.difference = new DifferencePanel(this);
    this.pinnedPanel = new PinnedPanel(this);
    this.curves = new CurvesPanel(this);
    this.pareto = new ParetoPanel(this);
    this.numbers = new NumbersPanel(this);
    this.agreement = new AgreementPanel(this);
    this.around = new AroundEventsPanel(this);
    this.fields = new FieldsPanel(this);
    const row = (...panels) => element("div", {className: "tri-compare-row"}, ...panels.map((panel) => panel.section));
    this.root.replaceChildren(
      element("div", {className: "tri-compare-maps"}, this.maps.section, element("div", {className: "tri-beside"}, this.difference.section, this.pinnedPanel.section)),
      row(this.curves, this.pareto), this.numbers.section, row(this.agreement, this.around), this.fields.section, this.bar.section,
    );
    applyTheme(this.root, this.theme);
    this.queue = new PanelQueue([
      this.bar, this.maps, this.difference, this.pinnedPanel, this.curves, this.pareto, this.numbers, this.agreement, this.around, this.fields,
    ]);
  }

  #publish() {
    const {kind, value} = this.moment;
    const {dataset} = this.root;
    dataset.view = "compare";
    dataset.moment = kind === "end" ? "end" : `${kind} ${Number(value.toFixed(1))}`;
    dataset.pinned = this.pinned || "";
    dataset.runs = String(this.runs.length);
  }

  refreshTheme() {
    const theme = readTheme(this.root);
    if (JSON.stringify(theme) === JSON.stringify(this.theme)) return;
    this.theme = theme;
    applyTheme(this.root, theme);
    this.queue.touch("theme");
  }

  #watch() {
    this.sizes = new ResizeObserver(() => {
      const width = this.root.clientWidth;
      if (!width || width === this.width) return;
      this.width = width;
      this.queue.touch("size");
    });
    this.sizes.observe(this.root);
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
    this.queue.close();
    this.view.close();
    this.bar.stop();
    clearTimeout(this.settling);
    this.sizes.disconnect();
    this.themes.disconnect();
    this.scheme.removeEventListener("change", this.onScheme);
    for (const {drawer, box} of this.queue.panels) if (drawer && box.data) drawer.purge(box);
    this.root.replaceChildren();
  }
}

export default function mountComparison({parentElement, data}) {
  let mount = parentElement.triCompare;
  if (!mount) {
    const root = document.createElement("div");
    parentElement.append(root);
    mount = {root, comparison: null, waiting: null, last: null};
    parentElement.triCompare = mount;
    Promise.all([linkStyle(root), linkStyle(root, "compare/compare.css")]).then(() => {
      if (mount.gone) return;
      mount.comparison = new Comparison(root);
      mount.comparison.push(mount.waiting);
    }).catch((error) => { root.textContent = error.message; });
  }
  if (data && data !== mount.last) {
    mount.last = data;
    if (mount.comparison) mount.comparison.push(data);
    else mount.waiting = data;
  } else if (mount.comparison) mount.comparison.refreshTheme();
  // Streamlit also calls this when newer data overtook a call that was still loading; only a detached root is an unmount.
  // And a root that is off the page for a moment, while Streamlit draws its place anew, has been called again by then.
  const mounted = mount.mounted = (mount.mounted || 0) + 1;
  return () => setTimeout(() => {
    if (mount.root.isConnected || mount.mounted !== mounted) return;
    mount.gone = true;
    if (mount.comparison) mount.comparison.destroy();
    delete parentElement.triCompare;
  }, 0);
}
