// Every run in numbers at the moment on view; or every group of seeds: means, and differences on the same seeds.
import {smallChoice} from "../parts.js";
import {element, tidy} from "../theme.js";
import {momentWords, unequalSteps} from "./compared_run.js";
import {DataTable} from "./data_table.js";
import {churn, entropy, interval, recovery} from "./measures.js";
import {lights, swatch} from "./run_look.js";
import {saveButtons} from "./save.js";

const whole = (value) => Math.round(value).toLocaleString("en");
const share = (value) => value.toFixed(2);
const SHOWN = {
  Steps: whole, "Total rank": (value) => String(Number(value.toFixed(1))), Parameters: whole, Loss: tidy, Metric: (value) => Number(value.toPrecision(4)).toString(),
  "Rank events": whole, Entropy: (value) => value.toFixed(3), Churn: share, Coverage: share, Precision: share,
};
const OF_A_GROUP = ["Total rank", "Parameters", "Loss", "Metric", "Entropy", "Churn", "Coverage", "Precision"];
const AGAINST = "Metric, less that of the reference";

// A run in numbers at a moment, by the names of the columns. The Python twin is `summary_row` in
// triadapt/views/compare/table.py.
export function numbersOf(run, moment, lossesOf) {
  const at = run.standing(moment);
  const row = {Run: run.label, State: run.state};
  if (!at) return row;
  const ranks = run.ranks[at.state];
  const losses = run.losses.value.slice(Math.max(0, at.losses - Math.ceil(lossesOf / run.losses.over)), at.losses);
  const {allotted} = run;
  const {coverage, precision} = recovery(ranks, allotted ? run.planted : null, run.ranks[0]);
  return {
    ...row, Steps: at.done, "Total rank": allotted ? run.totals[at.state] : null, Parameters: run.parameters[at.state] || null,
    Loss: losses.length ? losses.reduce((sum, value) => sum + value, 0) / losses.length : null,
    Metric: at.evaluations ? run.evaluations.value[at.evaluations - 1] : null, "Rank events": allotted ? at.state : 0, Entropy: allotted ? entropy(ranks) : null,
    Churn: churn(run.chosen.slice(0, at.state)), Coverage: coverage, Precision: precision,
  };
}

export class NumbersPanel {
  constructor(comparison) {
    this.comparison = comparison;
    this.rows = smallChoice("Rows", {runs: "A row a run", groups: "A row a group of seeds: means and their 95 % intervals"}, (value) => comparison.choose("rows", value));
    this.reference = element("select", {className: "tri-select", title: "Group that the others are held against, on the same seeds"});
    this.reference.addEventListener("change", () => comparison.choose("ref", this.reference.value));
    this.referenceLabel = element("label", {className: "tri-against"}, "reference ", this.reference);
    this.note = element("span", {className: "tri-note"});
    this.heading = element("h3", {}, "In numbers");
    const head = element("header", {}, this.heading, this.rows.node, this.referenceLabel, this.note, ...saveButtons("numbers", comparison, null, () => this.table.csv));
    this.table = new DataTable((row, line) => lights(comparison, line, row.key));
    this.section = element("section", {className: "tri-panel tri-numbers", dataset: {testid: "numbers"}}, head, this.table.node);
  }

  get grouped() {
    const {choice, several} = this.comparison;
    return several && (choice.rows ? choice.rows === "groups" : true);
  }

  draw(reasons) {
    const {comparison} = this;
    if (["data", "moment", "choice", "theme"].some((reason) => reasons.has(reason))) {
      this.rows.node.hidden = !comparison.several;
      this.rows.mark(this.grouped ? "groups" : "runs");
      this.referenceLabel.hidden = !this.grouped || comparison.groups.length < 2;
      const rows = comparison.runs.map((run) => ({run, cells: numbersOf(run, comparison.moment, comparison.frame.losses)}));
      if (this.grouped) this.#drawGroups(rows);
      else this.#drawRuns(rows);
      this.heading.textContent = `In numbers, ${momentWords(comparison.moment)}`;
      const metrics = [...new Set(comparison.frame.kinds.map(({metric, higher}) => `${metric}, ${higher ? "higher" : "lower"} is better`))];
      this.note.textContent = this.note.title = `${unequalSteps(comparison.runs, comparison.moment)}metric: ${metrics.join("; ")}; point at a heading for what it says`;
    }
    this.table.light(comparison.lit);
  }

  #drawRuns(rows) {
    const {frame} = this.comparison;
    const columns = Object.fromEntries(Object.entries(frame.columns).map(([name, help]) => [name, {help, show: SHOWN[name]}]));
    this.table.draw(columns, rows.map(({run, cells}) => ({key: run.id, cells, lead: swatch(this.comparison, run), best: this.#best(rows, run)})));
  }

  // The best metric of each kind of task is stressed, where more than one run has it to compare with.
  #best(rows, run) {
    const of = rows.filter((row) => row.run.kind === run.kind && Number.isFinite(row.cells.Metric));
    if (of.length < 2) return new Set();
    const {higher} = this.comparison.frame.kinds[run.kind];
    const best = of.reduce((a, b) => ((higher ? b.cells.Metric > a.cells.Metric : b.cells.Metric < a.cells.Metric) ? b : a));
    return new Set(best.cells.Metric === rows.find((row) => row.run === run).cells.Metric ? ["Metric"] : []);
  }

  #drawGroups(rows) {
    const {comparison} = this;
    const {frame, groups, members, t975} = comparison;
    const plain = groups.findIndex((_, group) => members[group][0].method === "LoRA");
    const reference = groups.includes(comparison.choice.ref) ? groups.indexOf(comparison.choice.ref) : Math.max(0, plain);
    this.reference.replaceChildren(...groups.map((label) => element("option", {value: label}, label)));
    this.reference.value = groups[reference];
    const shown = (name) => (value) => (!value.half ? SHOWN[name](value.mean) : `${SHOWN[name](value.mean)} ± ${tidy(value.half)}`);
    const columns = {
      Group: {help: "Runs that differ in their seed alone."}, Runs: {help: "Runs that are there at this moment, of all.", show: (value) => value},
      ...Object.fromEntries(OF_A_GROUP.map((name) => [name, {help: `${frame.columns[name]} Mean over the seeds ± half its 95 % interval.`, show: shown(name)}])),
      [AGAINST]: {
        help: "Mean difference of the metric to the reference group on the same seeds ± half its 95 % interval, and how many seeds. Within one task alone.",
        show: ({mean, half, count}) => `${mean > 0 ? "+" : ""}${tidy(mean)}${half === null ? "" : ` ± ${tidy(half)}`} (${count})`,
      },
    };
    const drawn = members.map((runs, group) => {
      const own = rows.filter(({run}) => run.group === group);
      const cells = {Group: groups[group]};
      const there = own.filter(({cells: {Steps}}) => Steps !== undefined);
      cells.Runs = there.length === own.length ? String(own.length) : `${there.length} of ${own.length}`;
      for (const name of OF_A_GROUP) {
        const values = own.map((row) => row.cells[name]).filter((value) => Number.isFinite(value));
        cells[name] = values.length ? interval(values, t975) : null;
      }
      const pairs = group === reference ? [] : own.flatMap(({run, cells: {Metric}}) => {
        const other = rows.find((row) => row.run.group === reference && row.run.seed === run.seed && row.run.kind === run.kind);
        return other && Number.isFinite(Metric) && Number.isFinite(other.cells.Metric) ? [Metric - other.cells.Metric] : [];
      });
      cells[AGAINST] = pairs.length ? interval(pairs, t975) : null;
      const mean = comparison.means.find((one) => one.group === group);
      return {key: mean ? mean.id : runs[0].id, cells, lead: swatch(comparison, runs[0])};
    });
    this.table.draw(columns, drawn);
  }
}
