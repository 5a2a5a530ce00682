// One matrix in every run: the rank it holds at the moment on view, and what is planted there.
import {element} from "../theme.js";
import {shortened} from "./agreement_panel.js";
import {rankWord, ranksAt} from "./compared_run.js";
import {lights, swatch} from "./run_look.js";

export class PinnedPanel {
  constructor(comparison) {
    this.comparison = comparison;
    this.heading = element("h3");
    this.note = element("span", {className: "tri-note"});
    this.body = element("div", {className: "tri-bars"});
    this.section = element("section", {className: "tri-panel tri-pinned-matrix", dataset: {testid: "pinned"}}, element("header", {}, this.heading, this.note), this.body);
  }

  draw(reasons) {
    if (reasons.has("data")) this.#build();
    if (reasons.has("theme")) for (const [run, line] of this.lines) line.mark.replaceChildren(swatch(this.comparison, run));
    const {comparison} = this;
    const label = comparison.hovered || comparison.pinned;
    this.section.hidden = comparison.runs.length < 2;
    this.heading.textContent = label ? `${label} in every run` : "One matrix in every run";
    this.note.textContent = label ? (label === comparison.pinned ? "pinned; click it again to let go" : "click to pin") : "point at a cell";
    for (const [run, line] of this.lines) {
      const at = run.at.get(label);
      const ranks = at === undefined ? null : ranksAt(run, comparison.moment);
      const rank = ranks ? ranks[at] : null;
      const planted = at !== undefined && run.planted ? run.planted[at] : 0;
      const text = rank === null ? "" : String(rank);
      if (line.value.textContent !== text) line.value.textContent = text;
      line.bar.style.width = `${Math.min(100, (100 * (rank || 0)) / this.top)}%`;
      line.truth.style.left = `${(100 * Math.min(planted, this.top)) / this.top}%`;
      line.truth.hidden = !planted;
      line.node.classList.toggle("tri-lit", run.id === comparison.lit);
    }
  }

  #build() {
    const {comparison} = this;
    this.top = Math.max(comparison.ceiling, ...comparison.runs.flatMap((run) => run.planted || []));
    this.lines = new Map(comparison.runs.map((run) => {
      const bar = element("i");
      const truth = element("u", {title: "planted rank", hidden: true});
      const value = element("b");
      const mark = element("span", {}, swatch(comparison, run));
      bar.style.background = comparison.colour(run);
      const node = lights(comparison, element("div", {}, mark, element("span", {className: "tri-bar-name", title: run.allotted ? run.label : `${run.label}, ${rankWord(run)}`}, run.allotted ? shortened(run.label, 20) : `${shortened(run.label, 14)}, eff.`), element("span", {className: "tri-bar"}, bar, truth), value), run.id);
      return [run, {node, bar, truth, value, mark}];
    }));
    this.body.replaceChildren(...[...this.lines.values()].map(({node}) => node));
  }
}
