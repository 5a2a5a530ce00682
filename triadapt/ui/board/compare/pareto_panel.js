// The metric against trainable parameters at the moment on view, with the front of the means that no other beats in both.
import {unequalSteps} from "./compared_run.js";
import {chartAxis, chartLayout} from "../theme.js";
import {Chart} from "./chart.js";
import {interval} from "./measures.js";
import {front} from "./series.js";

// One a method, so that they are told apart without colour; every second group of a method is drawn open.
const SYMBOLS = ["circle", "square", "diamond", "triangle-up", "triangle-down"];

export class ParetoPanel extends Chart {
  constructor(comparison) {
    super(comparison, "pareto", "Metric against size");
  }

  draw(reasons) {
    if (this.comparison.runs.length > 1 && ["data", "size", "theme", "drawer", "settled", "choice"].some((reason) => reasons.has(reason))) this.#drawChart();
  }

  // {runs, sizes, values} of those that are there and were evaluated, of the kind of task on view.
  #points() {
    const {comparison} = this;
    const {members, moment} = comparison;
    return members.map((runs) => {
      const there = runs.filter((run) => run.kind === comparison.kind).map((run) => [run, run.standing(moment)]).filter(([run, at]) => at && at.evaluations && run.parameters[at.state]);
      return {
        runs: there.map(([run]) => run), sizes: there.map(([run, at]) => run.parameters[at.state]),
        values: there.map(([run, at]) => run.evaluations.value[at.evaluations - 1]),
      };
    }).filter(({runs}) => runs.length);
  }

  #drawChart() {
    const {comparison} = this;
    const {theme, t975} = comparison;
    const {kinds} = comparison.frame;
    const {name, metric, higher} = kinds[comparison.kind];
    const points = this.#points();
    const traces = [];
    const methods = [...new Set(comparison.runs.map((run) => run.method))];
    const means = points.map(({runs, sizes, values}) => {
      const [run] = runs;
      const several = runs.length > 1;
      const symbol = `${SYMBOLS[methods.indexOf(run.method) % SYMBOLS.length]}${run.place % 2 ? "-open" : ""}`;
      const colour = comparison.colour(run);
      const label = several ? comparison.groups[run.group] : run.label;
      const [size, value] = [interval(sizes, t975).mean, interval(values, t975).mean];
      const mean = comparison.means.find((one) => one.group === run.group);
      if (several) traces.push({
        type: "scatter", mode: "markers", x: sizes, y: values, ids: runs.map((one) => one.id), opacity: 0.45, name: "", marker: {color: colour, symbol, size: 6},
        hovertext: runs.map((one, i) => `${one.label}: ${sizes[i].toLocaleString("en")} parameters, ${Number(values[i].toPrecision(4))}`), hovertemplate: "%{hovertext}<extra></extra>",
      });
      if (several) traces.push(...[[sizes, size], [values, value]].map(([all], along) => ({
        type: "scatter", mode: "lines", line: {color: colour, width: 1.2}, hoverinfo: "skip", name: "",
        x: along ? [size, size] : [Math.min(...all), Math.max(...all)], y: along ? [Math.min(...all), Math.max(...all)] : [value, value],
      })));
      traces.push({
        type: "scatter", mode: "markers", x: [size], y: [value], ids: [mean ? mean.id : run.id], name: label,
        marker: {color: colour, symbol, size: 12, line: {width: 2, color: colour}},
        hovertext: [`${label}: ${Math.round(size).toLocaleString("en")} parameters, ${Number(value.toPrecision(4))}`], hovertemplate: "%{hovertext}<extra></extra>",
      });
      return [size, value];
    });
    if (means.length > 1) traces.push(this.#front(means, higher));
    const layout = chartLayout(theme, this.box, {l: 54, r: 14, t: 6, b: 36});
    const title = (text) => ({text, font: {size: 11, color: theme.quiet}, standoff: 4});
    layout.xaxis = chartAxis(theme, {title: title("trainable parameters (fewer is better)"), tickformat: "d", nticks: 5, uirevision: comparison.kind});
    layout.yaxis = chartAxis(theme, {title: title(`${metric} (${higher ? "higher" : "lower"} is better)`), nticks: 6, uirevision: comparison.kind});
    this.react(traces, layout);
    this.say(points.length ? "" : "Nothing was evaluated up to this moment, or no parameters were recorded.");
    const several = points.some(({runs}) => runs.length > 1);
    this.note.textContent = this.note.title = `${unequalSteps(comparison.runs, comparison.moment)}${kinds.length > 1 ? `${name}; ` : ""}${several ? "mean, lowest and highest of the seeds; " : ""}dotted: no other beats these in both`;
    this.describe(`${metric} against trainable parameters: ${points.map(({runs}, i) => `${runs.length > 1 ? comparison.groups[runs[0].group] : runs[0].label} ${Math.round(means[i][0])} parameters, ${Number(means[i][1].toPrecision(3))}`).join("; ")}.`);
  }

  // Stairs through the best, and on to the largest: who spends more gets no less.
  #front(means, higher) {
    const [sizes, values] = [0, 1].map((i) => means.map((mean) => mean[i]));
    const best = front(sizes, values, higher);
    return {
      type: "scatter", mode: "lines", x: [...best.map((i) => sizes[i]), Math.max(...sizes)], y: [...best.map((i) => values[i]), values[best[best.length - 1]]],
      line: {shape: "hv", color: this.comparison.theme.grey, width: 1.2, dash: "dot"}, hoverinfo: "skip", name: "",
    };
  }
}
