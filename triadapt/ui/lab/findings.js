// What Python says against the schedule, each with a press that mends it.
import {element} from "../board/theme.js";

export class Findings {
  constructor(change) {
    this.change = change;
    this.section = element("section", {className: "lab-findings", dataset: {testid: "lab-findings"}, ariaLive: "polite"});
  }

  // answer: {findings, problems}, or null before the first one; stale: it is about values that have changed since.
  draw(answer, stale, all) {
    this.section.toggleAttribute("data-stale", stale);
    if (!answer || this.answer === answer) return;
    this.answer = answer;
    const said = answer.problems.map((line) => element("p", {className: "lab-finding lab-problem"}, line));
    for (const finding of answer.findings) {
      const labels = finding.labels.length === all && all > 1 ? "Every method" : finding.labels.join(", ");
      const text = element("p", {className: "lab-finding", dataset: {code: finding.code}}, element("b", {}, labels), `: ${finding.message} `);
      if (finding.fix) {
        const button = element("button", {type: "button", className: "lab-fix", title: "Change the schedule so that this no longer speaks against it"}, finding.fix);
        button.addEventListener("click", () => this.change(finding.changes));
        text.append(button);
      }
      said.push(text);
    }
    if (!said.length) said.push(element("p", {className: "lab-fine"}, "Nothing speaks against this schedule."));
    this.section.replaceChildren(...said);
  }
}
