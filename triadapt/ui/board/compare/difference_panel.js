// The ranks of one run, or the mean of a group, less those of another, at the moment on view.
import {mapGrid} from "../rankmap.js";
import {element, matrixLabel, mixColours, tidy} from "../theme.js";
import {plantedOf, rankWord, ranksAt, rankless} from "./compared_run.js";
import {HeatGrid, colourStrip} from "./heat_grid.js";
import {spearman} from "./measures.js";
import {saveButtons} from "./save.js";

const MORE_A = "#2166ac";
const MORE_B = "#b2182b";
const NAMES = 24;
const TALLEST = 420;

// Colour of a share from -1 (all in B) to 1 (all in A); nothing is neutral in either theme.
export function differenceColour(theme, share) {
  const neutral = theme.dark ? "#3a3d46" : "#f3f3f3";
  return mixColours(neutral, share < 0 ? MORE_B : MORE_A, Math.min(1, Math.abs(share)) ** 0.8);
}

export class DifferencePanel {
  constructor(comparison) {
    this.comparison = comparison;
    this.grid = new HeatGrid();
    this.choices = {};
    const choose = (name) => {
      const select = element("select", {className: "tri-select", title: `Run or mean ${name.toUpperCase()}`});
      select.setAttribute("aria-label", `Run or mean ${name.toUpperCase()}`);
      select.addEventListener("change", () => comparison.choose(name, select.value));
      this.choices[name] = select;
      return element("label", {}, element("b", {}, name.toUpperCase()), select);
    };
    const swap = element("button", {className: "tri-small", type: "button", title: "Change A and B over"}, "⇄");
    swap.addEventListener("click", () => {
      const [a, b] = this.pair.map((one) => one.id);
      comparison.choose("a", b);
      comparison.choose("b", a);
    });
    const head = element("header", {}, element("h3", {}, "Difference, A − B"), element("span", {className: "tri-fill"}), swap,
      ...saveButtons("difference", comparison, () => [{svg: this.grid.svg, title: this.pair.map((one) => one.label).join(" − "), foot: this.words.textContent}], () => this.#table()));
    this.words = element("p", {className: "tri-difference-words"});
    this.scale = element("p", {className: "tri-difference-scale"});
    this.holder = element("div", {className: "tri-difference-map"}, this.grid.svg);
    this.section = element("section", {className: "tri-panel tri-difference", dataset: {testid: "difference"}}, head, choose("a"), choose("b"), this.holder, this.scale, this.words);
    this.holder.addEventListener("pointermove", (event) => comparison.hover(this.#labelAt(HeatGrid.placeOf(event))));
    this.holder.addEventListener("pointerleave", () => comparison.hover(null));
    this.holder.addEventListener("click", (event) => comparison.pin(this.#labelAt(HeatGrid.placeOf(event))));
  }

  // Who is subtracted from whom: as chosen, else the first two groups, else the first two runs.
  get pair() {
    const {comparison} = this;
    const {means, members, runs} = comparison;
    const first = members.map((group) => means.find((mean) => mean.group === group[0].group) || group[0]);
    const usual = first.length > 1 ? first : runs;
    const fit = (one, other) => one.id !== other.id && one.table === other.table && one.allotted === other.allotted;
    const chosen = comparison.one(comparison.choice.b);
    const a = comparison.one(comparison.choice.a) || (chosen && usual.find((one) => fit(one, chosen))) || usual.find((one) => usual.some((other) => fit(one, other)))
      || usual.find((one) => one !== chosen);
    const fits = (one) => fit(one, a);
    const b = chosen || usual.find(fits) || runs.find(fits) || usual.find((one) => one.id !== a.id);
    return [a, b];
  }

  draw(reasons) {
    if (this.comparison.runs.length < 2) return;
    if (reasons.has("data")) this.#fillChoices();
    if (["data", "size", "choice", "theme", "moment"].some((reason) => reasons.has(reason))) this.#drawMap();
    this.#mark();
  }

  #fillChoices() {
    const {means, runs} = this.comparison;
    for (const select of Object.values(this.choices)) {
      select.replaceChildren(...[...means, ...runs].map((one) => element("option", {value: one.id}, one.label)));
    }
  }

  #drawMap() {
    const {comparison} = this;
    const [a, b] = this.pair;
    this.choices.a.value = a.id;
    this.choices.b.value = b.id;
    const ranks = [a, b].map((one) => ranksAt(one, comparison.moment));
    const same = a.table === b.table;
    const told = !same ? "A and B adapt different matrices and cannot be subtracted: choose two runs of one task and size."
      : a.allotted !== b.allotted ? `${rankless([a, b])} Its effective rank cannot be subtracted from a rank: choose two runs of one kind.`
      : ranks.every(Boolean) ? "" : `${[a, b].filter((_, i) => !ranks[i]).map((one) => one.label).join(" and ")}: never there.`;
    this.holder.hidden = Boolean(told);
    this.scale.hidden = Boolean(told);
    this.values = null;
    this.one = a;
    if (told) {
      this.words.textContent = told;
      return;
    }
    this.values = Array.from(ranks[0], (rank, i) => rank - ranks[1][i]);
    const {layers, modules, index} = mapGrid(a.matrices);
    const rows = layers.map((layer) => `L${layer}`).reverse();
    this.index = index.slice().reverse();
    const cell = Math.max(5, Math.min(30, TALLEST / rows.length));
    this.grid.lay({rows, columns: modules, width: Math.max(120, Math.min(560, this.section.clientWidth)), cell, left: NAMES, present: (r, c) => this.index[r][c] >= 0});
    const reach = this.#reach(a, b);
    const whole = !a.runs && !b.runs;
    this.grid.paint((r, c) => differenceColour(comparison.theme, this.values[this.index[r][c]] / reach), (r, c) => signed(this.values[this.index[r][c]], whole ? 0 : 1));
    const [own, other] = [plantedOf(a), plantedOf(b)];
    const alike = String(own) === String(other);
    const at = (planted) => (r, c) => Boolean(planted && this.index[r][c] >= 0 && planted[this.index[r][c]]);
    this.grid.outline(at(own), alike ? undefined : at(other));
    this.scale.replaceChildren(
      colourStrip([-1, -0.66, -0.33, 0, 0.33, 0.66, 1].map((share) => differenceColour(comparison.theme, share)), `−${tidy(reach)} more in B`, `more in A +${tidy(reach)}`, `Difference of the ${rankWord(a)}s`),
      ...(own || other ? [alike ? " outlined: planted" : " outlined: planted for A; dotted: for B"] : []),
    );
    this.#tell(ranks, a, b);
  }

  // The largest difference of the two at any rank event, so that colours keep their meaning while the moment moves.
  #reach(a, b) {
    const key = `${a.id} ${b.id}`;
    if (this.reachOf !== key || this.reachFrame !== this.comparison.frame) {
      const runs = [a, b].flatMap((one) => one.runs || [one]);
      const steps = [...new Set(runs.flatMap((run) => Array.from(run.events)))];
      const most = [{kind: "end"}, ...steps.map((value) => ({kind: "step", value}))].map((moment) => {
        const ranks = [a, b].map((one) => ranksAt(one, moment));
        return ranks.every(Boolean) ? ranks[0].reduce((top, rank, i) => Math.max(top, Math.abs(rank - ranks[1][i])), 0) : 0;
      });
      [this.reachOf, this.reachFrame, this.most] = [key, this.comparison.frame, Math.max(1, ...most)];
    }
    return this.most;
  }

  #tell(ranks, a, b) {
    const total = (list) => list.reduce((sum, value) => sum + value, 0);
    const more = this.values.filter((value) => value > 0);
    const less = this.values.filter((value) => value < 0);
    const rho = a.allotted ? spearman(ranks[0], ranks[1]) : null;
    const correlation = !a.allotted ? "" : rho === null ? "No rank correlation: all ranks of one are equal." : `Rank correlation ${tidy(rho)}.`;
    this.sentence = `A ${a.allotted ? "holds" : "has effective rank"} ${tidy(total(ranks[0]))}, B ${tidy(total(ranks[1]))}. A has more in ${more.length} of ${this.values.length} matrices (+${tidy(total(more))}), `
      + `B in ${less.length} (+${tidy(-total(less))}). ${correlation}`.trimEnd();
  }

  #mark() {
    if (!this.values) return;
    const {hovered, pinned} = this.comparison;
    this.grid.mark("hovered", this.#placeOf(hovered));
    this.grid.mark("pinned", this.#placeOf(pinned));
    const at = this.one.at.get(hovered || pinned);
    const words = at === undefined ? this.sentence : `${hovered || pinned}: ${signed(this.values[at], 1)} in A. ${this.sentence}`;
    if (this.words.textContent !== words) this.words.textContent = words;
  }

  #labelAt(place) {
    const index = place ? this.index[place[0]][place[1]] : -1;
    return index < 0 ? null : matrixLabel(this.one.matrices[index]);
  }

  #placeOf(label) {
    const at = label === null ? undefined : this.one.at.get(label);
    if (at === undefined) return null;
    const row = this.index.findIndex((cells) => cells.includes(at));
    return [row, this.index[row].indexOf(at)];
  }

  #table() {
    const [a, b] = this.pair;
    const ranks = [a, b].map((one) => ranksAt(one, this.comparison.moment));
    return [["matrix", `A: ${a.label}`, `B: ${b.label}`, "difference"],
      ...(this.values || []).map((value, i) => [matrixLabel(a.matrices[i]), ranks[0][i], ranks[1][i], value])];
  }
}

function signed(value, digits) {
  const text = Math.abs(value).toFixed(Number.isInteger(value) ? 0 : digits);
  return Number(text) === 0 ? "0" : `${value > 0 ? "+" : "−"}${text}`;
}
