// Does the loss move when rank does? The change of the loss at rank events beside that at ordinary steps of the same phase.
import {chartAxis, chartLayout, element, tidy} from "../theme.js";
import {shortened} from "./agreement_panel.js";
import {Chart} from "./chart.js";
import {DataTable} from "./data_table.js";
import {lights, swatch} from "./run_look.js";
import {saveButtons} from "./save.js";

const ROW = 22;

export class AroundEventsPanel extends Chart {
  constructor(comparison) {
    super(comparison, "around-events", "Loss around rank events");
    this.head.append(...saveButtons("loss-around-events", comparison, null, () => this.table.csv));
    this.table = new DataTable((row, line) => lights(comparison, line, row.key));
    this.words = element("p", {className: "tri-quiet"});
    this.numbers = element("details", {}, element("summary", {title: "Show what the chart draws as a table"}, "the same in numbers"), this.table.node);
    this.section.append(this.words, this.numbers);
  }

  draw(reasons) {
    const {comparison} = this;
    this.told = comparison.runs.filter((run) => run.around.Events !== null);
    this.holder.hidden = !this.told.length;
    if (["data", "theme"].some((reason) => reasons.has(reason))) this.#drawTable();
    this.table.light(comparison.lit);
    if (this.told.length && ["data", "size", "theme", "drawer"].some((reason) => reasons.has(reason))) this.#drawChart();
  }

  #drawTable() {
    const {comparison, told} = this;
    const change = (value) => `${value > 0 ? "+" : ""}${tidy(value)}`;
    const shown = {Window: String, Events: String, "At events": change, Ordinary: change, Steps: String, Difference: change, "±": tidy};
    this.numbers.hidden = !told.length;
    this.table.draw(
      Object.fromEntries(Object.entries(comparison.frame.event_columns).map(([name, help]) => [name, {help, show: shown[name]}])),
      told.map((run) => ({key: run.id, cells: run.around, lead: swatch(comparison, run)})),
    );
    const reasons = new Map();
    for (const run of comparison.runs) if (run.around.Events === null) reasons.set(run.around.Window, [...(reasons.get(run.around.Window) || []), run.label]);
    this.words.textContent = [...reasons].map(([reason, labels]) => `${labels.join(", ")}: ${reason}.`).join(" ");
    this.note.textContent = this.note.title = told.length ? "below 0 the loss falls; bars: 95 % interval of the difference to ordinary steps" : "";
  }

  #drawChart() {
    const {comparison, told} = this;
    const {theme} = comparison;
    this.holder.style.height = `${50 + ROW * told.length}px`;
    const y = told.map((_, i) => i);
    const values = (name) => told.map((run) => run.around[name]);
    const hover = told.map((run) => `${run.label}<br>at ${run.around.Events} events ${tidy(run.around["At events"])}<br>at ${run.around.Steps} ordinary steps ${tidy(run.around.Ordinary)}`
      + `<br>difference ${tidy(run.around.Difference)}${run.around["±"] === null ? "" : ` ± ${tidy(run.around["±"])}`}`);
    const shared = {type: "scatter", mode: "markers", y, ids: told.map((run) => run.id), hovertext: hover, hovertemplate: "%{hovertext}<extra></extra>"};
    const bars = told.flatMap((run, i) => {
      const [at, half] = [run.around["At events"], run.around["±"] ?? 0];
      return [[at - half, i], [at + half, i], [null, null]];
    });
    const traces = [
      {type: "scatter", mode: "lines", x: bars.map(([x]) => x), y: bars.map(([, row]) => row), line: {color: theme.grey, width: 1.4}, hoverinfo: "skip", name: ""},
      {...shared, x: values("Ordinary"), name: "at ordinary steps", marker: {size: 11, symbol: "line-ns-open", color: theme.text, line: {width: 2, color: theme.text}}},
      {...shared, x: values("At events"), name: "at rank events", marker: {size: 9, color: told.map((run) => comparison.colour(run))}},
    ];
    const names = told.map((run) => shortened(run.label, 30));
    const layout = chartLayout(theme, this.box, {l: Math.min(200, 14 + 6 * Math.max(...names.map((name) => name.length))), r: 14, t: 6, b: 36});
    const lines = traces[0].x.filter((x) => x !== null).concat(values("Ordinary"), 0);
    const [low, high] = [Math.min(...lines), Math.max(...lines)];
    const room = 0.05 * (high - low || 1);
    layout.xaxis = chartAxis(theme, {title: {text: "change of the loss: | at ordinary steps, ● at rank events", font: {size: 11, color: theme.quiet}, standoff: 4}, nticks: 6, range: [low - room, high + room]});
    layout.yaxis = chartAxis(theme, {tickvals: y, ticktext: names, range: [told.length - 0.4, -0.6], fixedrange: true});
    layout.shapes = [{type: "line", x0: 0, x1: 0, yref: "paper", y0: 0, y1: 1, layer: "below", line: {color: theme.grey, width: 1}}];
    this.react(traces, layout);
    this.describe(`${told.map((run) => `${run.label}: the loss changes by ${tidy(run.around["At events"])} at ${run.around.Events} rank events, by ${tidy(run.around.Ordinary)} at ordinary steps`).join("; ")}.`);
  }
}
