// How alike the allocations are at the moment on view: Spearman's rank correlation of each pair of runs.
import {element, mixColours, tidy} from "../theme.js";
import {momentWords, rankless} from "./compared_run.js";
import {DataTable} from "./data_table.js";
import {HeatGrid, colourStrip} from "./heat_grid.js";
import {averageRanks, pairTable} from "./measures.js";
import {saveButtons} from "./save.js";

const ALIKE = "#2166ac";
const REVERSED = "#b2182b";
const NUMBERED = 12; // runs, up to which the numbers are written

export class AgreementPanel {
  constructor(comparison) {
    this.comparison = comparison;
    this.grid = new HeatGrid();
    this.note = element("span", {className: "tri-note"});
    this.heading = element("h3", {}, "Agreement of the ranks");
    const head = element("header", {}, this.heading, this.note,
      ...saveButtons("agreement", comparison, () => [{svg: this.grid.svg, title: "Spearman's rank correlation", foot: ""}], () => this.#csv()));
    this.holder = element("div", {className: "tri-agreement-map"}, this.grid.svg);
    this.words = element("p", {className: "tri-quiet"});
    this.scale = element("p", {className: "tri-difference-scale"});
    this.table = new DataTable();
    this.section = element("section", {className: "tri-panel tri-agreement", dataset: {testid: "agreement"}}, head, this.holder, this.scale, this.table.node, this.words);
    this.holder.addEventListener("pointermove", (event) => this.#point(HeatGrid.placeOf(event)));
    this.holder.addEventListener("pointerleave", () => { this.#point(null); });
  }

  draw(reasons) {
    if (this.comparison.runs.length < 2) return;
    if (["data", "size", "theme", "settled"].some((reason) => reasons.has(reason))) this.#drawMap();
  }

  // `rho(i, j)` of the runs at the moment; null where it is undefined.
  #correlations() {
    const {runs, moment} = this.comparison;
    const centred = runs.map((run) => {
      const at = run.standing(moment);
      if (!at || !run.allotted) return null;
      const places = averageRanks(run.ranks[at.state]);
      const middle = (places.length + 1) / 2;
      const values = places.map((place) => place - middle);
      const length = Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
      return length ? values.map((value) => value / length) : null;
    });
    return (i, j) => {
      const [a, b] = [centred[i], centred[j]];
      if (!a || !b || runs[i].table !== runs[j].table) return null;
      return Math.max(-1, Math.min(1, a.reduce((sum, value, at) => sum + value * b[at], 0)));
    };
  }

  #drawMap() {
    const {comparison} = this;
    const {runs, groups, theme, moment} = comparison;
    this.rho = this.#correlations();
    const names = runs.map((run, i) => `${shortened(run.label, 28)}\u2003${i + 1}`);
    const left = Math.min(200, 14 + 6 * Math.max(...names.map((name) => name.length)));
    const cell = runs.length <= NUMBERED ? 26 : 16;
    const width = Math.min(this.section.clientWidth, left + runs.length * (runs.length <= NUMBERED ? 56 : 30));
    this.grid.lay({rows: names, columns: runs.map((_, i) => String(i + 1)), width, cell, left, texts: runs.length <= NUMBERED});
    const colour = (value) => (value === null ? theme.faint : mixColours(theme.dark ? "#3a3d46" : "#f3f3f3", value < 0 ? REVERSED : ALIKE, Math.abs(value)));
    this.grid.paint((r, c) => colour(this.rho(r, c)), (r, c) => (this.rho(r, c) === null ? "–" : this.rho(r, c).toFixed(2).replace("-", "−")));
    this.grid.mark("pinned", null);
    this.grid.mark("hovered", null);
    this.scale.replaceChildren(colourStrip([-1, -0.66, -0.33, 0, 0.33, 0.66, 1].map(colour), "−1 reversed", "the same order 1", "Spearman's rank correlation"));
    const rows = pairTable(runs, groups, this.rho);
    const digits = (value) => value.toFixed(2).replace("-", "−");
    this.table.node.hidden = !rows.length;
    this.table.draw(
      {Pairs: {help: "What is paired"}, Mean: {help: "Mean correlation", show: digits}, Lowest: {help: "Lowest", show: digits}, Highest: {help: "Highest", show: digits}, Count: {help: "Pairs with a correlation", show: String}},
      rows.map((row) => ({key: row.pairs, cells: {Pairs: row.pairs, Mean: row.mean, Lowest: row.lowest, Highest: row.highest, Count: row.count}})),
    );
    this.heading.textContent = `Agreement of the ranks, ${momentWords(moment)}`;
    this.note.textContent = "Spearman's rank correlation";
    this.#explain();
  }

  #explain() {
    const {runs, moment} = this.comparison;
    const words = [];
    const flat = runs.filter((run) => {
      const at = run.standing(moment);
      return at && run.allotted && new Set(run.ranks[at.state]).size < 2;
    });
    if (flat.length) words.push(`Undefined where all ranks are equal: ${flat.map((run) => run.label).join(", ")}.`);
    if (rankless(runs)) words.push(rankless(runs));
    if (runs.some((run) => run.table !== runs[0].table)) words.push("Empty between runs that adapt different matrices.");
    if (runs.some((run) => !run.standing(moment))) words.push("Empty for runs that never got there.");
    this.words.textContent = this.said = words.join(" ");
  }

  #point(place) {
    const {runs} = this.comparison;
    this.grid.mark("hovered", place);
    this.comparison.light(place ? runs[place[0]].id : null);
    if (!place) {
      this.words.textContent = this.said || "";
      return;
    }
    const value = this.rho(...place);
    this.words.textContent = `${runs[place[0]].label} and ${runs[place[1]].label}: ${value === null ? "undefined" : tidy(value)}`;
  }

  #csv() {
    const {runs} = this.comparison;
    return [["run", ...runs.map((run) => run.label)], ...runs.map((run, i) => [run.label, ...runs.map((_, j) => this.rho(i, j) ?? "")])];
  }
}

// With its middle left out where it is long: what comes last, the seed, tells most.
export function shortened(label, most) {
  return label.length <= most ? label : `${label.slice(0, most - 11)}…${label.slice(-10)}`;
}
