// The fields in which the configurations differ, and in a line what is the same in all.
import {element} from "../theme.js";
import {DataTable} from "./data_table.js";
import {lights, swatch} from "./run_look.js";
import {saveButtons} from "./save.js";

export class FieldsPanel {
  constructor(comparison) {
    this.comparison = comparison;
    this.table = new DataTable((row, line) => lights(comparison, line, row.key));
    this.words = element("p", {className: "tri-quiet"});
    const head = element("header", {}, element("h3", {}, "Configurations"), element("span", {className: "tri-note"}, "fields that differ; empty: the run has no such field"),
      ...saveButtons("configurations", comparison, null, () => this.table.csv));
    this.section = element("section", {className: "tri-panel tri-fields", dataset: {testid: "fields"}}, head, this.table.node, this.words);
  }

  draw(reasons) {
    const {comparison} = this;
    if (["data", "theme"].some((reason) => reasons.has(reason))) {
      const {configurations, fields, agreed} = comparison.frame;
      this.table.node.hidden = !fields.length;
      this.table.draw(
        Object.fromEntries(["Run", ...fields].map((name) => [name, {help: name, show: null}])),
        comparison.runs.map((run, i) => ({key: run.id, cells: configurations[i], lead: swatch(comparison, run)})),
      );
      this.words.textContent = `${fields.length ? "" : "The configurations are equal. "}The same in all: ${agreed || "nothing"}.`;
    }
    this.table.light(comparison.lit);
  }
}
