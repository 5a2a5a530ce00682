// The events of one line as a table, the same as `triadapt preview` prints.
import {element} from "../board/theme.js";
import {escape} from "./axis.js";
import {signed} from "./lanes.js";
import {progressAt} from "./schedule.js";

const MOST_ROWS = 200;

export class EventTable {
  constructor() {
    this.choice = element("div", {className: "lab-choice", role: "group"});
    this.choice.setAttribute("aria-label", "Events of");
    this.note = element("p", {className: "lab-said"});
    this.table = element("table", {dataset: {testid: "lab-table"}});
    this.section = element("section", {className: "lab-events"}, element("h3", {}, "Events"), this.choice,
      element("div", {className: "lab-scroll", tabIndex: 0}, this.table), this.note);
    this.label = null;
  }

  draw(lines) {
    this.lines = lines.filter((line) => line.seen.allocation !== "fixed");
    const line = this.lines.find((one) => one.label === this.label) || this.lines[0];
    const labels = this.lines.map((one) => one.label);
    if (String(labels) !== this.drawn) {
      this.drawn = String(labels);
      this.choice.replaceChildren(...labels.map((label) => {
        const button = element("button", {type: "button", title: "Show the events of this line in the table"}, label);
        button.addEventListener("click", () => { this.label = label; this.draw(lines); });
        return button;
      }));
    }
    for (const button of this.choice.children) button.setAttribute("aria-pressed", line && button.textContent === line.label);
    this.section.hidden = !line;
    if (line) this.#rows(line);
  }

  #rows({seen, counts}) {
    const {step, gap, allowed, change, total} = seen.columns;
    const grows = seen.allocation === "grows";
    const head = ["step", "progress", grows ? "ranks missing" : "ranks above", grows ? "matrices that may grow" : "ranks kept", "ranks", "total rank", ...(counts ? ["parameters, even", "least", "most"] : [])];
    this.table.hidden = !step.length;
    const shown = Math.min(step.length, MOST_ROWS);
    const number = (value) => value.toLocaleString("en");
    let body = "";
    for (let i = 0; i < shown; i += 1) {
      const cells = [number(step[i]), progressAt(seen, step[i]).toFixed(3), number(gap[i]), number(allowed[i]), signed(change[i]), number(total[i]),
        ...(counts ? [number(counts.even[i + 1]), number(counts.least[i + 1]), number(counts.most[i + 1])] : [])];
      body += `<tr>${cells.map((cell) => `<td>${cell}</td>`).join("")}</tr>`;
    }
    this.table.innerHTML = `<thead><tr>${head.map((name) => `<th>${escape(name)}</th>`).join("")}</tr></thead><tbody>${body}</tbody>`;
    this.note.textContent = !step.length ? "No rank event fires." : step.length > shown ? `The first ${shown} of ${number(step.length)} events; triadapt preview prints all.` : "";
  }
}
