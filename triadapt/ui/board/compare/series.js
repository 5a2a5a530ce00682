// Curves of runs on one axis, and the band of those that differ in their seed alone.
import {upTo} from "./compared_run.js";
import {entropy, interval, recovery} from "./measures.js";

export const QUANTITIES = {
  metric: {label: "metric"},
  loss: {label: "training loss"},
  rank: {label: "total rank", own: true, state: (run, s) => run.totals[s]},
  parameters: {label: "trainable parameters", state: (run, s) => run.parameters[s] || null},
  pinned: {label: "rank of the pinned matrix", own: true, state: (run, s, pin) => (run.at.has(pin) ? run.ranks[s][run.at.get(pin)] : null)},
  coverage: {label: "planted rank covered", own: true, truth: true, state: (run, s) => recovery(run.ranks[s], run.planted, run.ranks[0]).coverage},
  precision: {label: "grown rank on planted", own: true, truth: true, state: (run, s) => recovery(run.ranks[s], run.planted, run.ranks[0]).precision},
  entropy: {label: "entropy of the allocation", own: true, state: (run, s) => entropy(run.ranks[s])},
};
export const AXES = {step: "step", time: "seconds of running time", rank: "total rank", parameters: "trainable parameters"};
export const BANDS = {range: "lowest to highest", confidence: "95 % interval of the mean"};
const GRID = 400;

// {x, y, held} of a run; `held`: a value lasts until the next point, as a rank does. Against total rank or parameters a point
// is one state, at its end: what the loss, say, had come to before the next rank event. window: of how many steps a loss is
// the mean. Of a run without a rank of its own no quantity is drawn that is `own`, nothing against total rank, and what is
// drawn against parameters is one state.
export function curve(run, quantity, axis, {window = 1, pin = null} = {}) {
  const {state, own} = QUANTITIES[quantity];
  if (!run.allotted && (own || axis === "rank")) return {x: [], y: [], held: Boolean(state)};
  const events = run.decisions;
  const parameters = run.allotted ? run.parameters : run.parameters.slice(0, 1);
  const sizes = axis === "rank" ? run.totals : Array.from(parameters, (count) => count || NaN); // 0: not recorded
  if (state) {
    const values = sizes.map((_, s) => state(run, s, pin));
    if (values.every((value) => value === null)) return {x: [], y: [], held: true};
    if (axis === "rank" || axis === "parameters") return {x: sizes, y: values, held: false};
    const steps = [0, ...events];
    const times = [0, ...run.decisionTimes];
    const end = axis === "step" ? Math.max(run.last, steps[steps.length - 1]) : Math.max(run.lastTime, times[times.length - 1]);
    return {x: [...(axis === "step" ? steps : times), end], y: [...values, values[values.length - 1]], held: true};
  }
  const loss = quantity === "loss";
  const t = loss ? run.losses.t : run.evaluations.t;
  const values = loss ? trailingMean(run.losses, window) : Array.from(run.evaluations.value);
  if (axis === "step") return {x: Array.from(t), y: values, held: false};
  if (axis === "time") return {x: loss ? Array.from(t, (step) => run.timeAt(step)) : Array.from(run.evaluations.time), y: values, held: false};
  // A state after step t is that of the loss of step t + 1 and of an evaluation after t + 1 steps.
  const found = {x: [], y: [], held: false};
  sizes.forEach((size, s) => {
    const start = s ? events[s - 1] + 1 : 0;
    const until = s < events.length ? events[s] : Infinity;
    const at = upTo(t, until) - 1;
    if (at < 0 || t[at] < start) return;
    found.x.push(size);
    found.y.push(values[at]);
  });
  return found;
}

// Mean of each loss and those of the `window - 1` steps before it. `losses.over`: of how many steps each is a mean already.
export function trailingMean({t, value, over}, window) {
  const reach = Math.max(0, window - over);
  let from = 0;
  return Array.from(value, (_, i) => {
    while (t[i] - t[from] > reach) from += 1;
    let sum = 0;
    for (let j = from; j <= i; j += 1) sum += value[j];
    return sum / (i + 1 - from);
  });
}

// {x, mean, low, high} of curves with points in common; null when there are fewer than two.
export function spread(curves, band, t975) {
  const lines = curves.filter((line) => line.x.length);
  if (lines.length < 2) return null;
  const start = Math.max(...lines.map((line) => line.x[0]));
  const end = Math.min(...lines.map((line) => line.x[line.x.length - 1]));
  let x = [...new Set(lines.flatMap((line) => line.x))].filter((value) => value >= start && value <= end).sort((a, b) => a - b);
  if (!x.length) return null;
  if (x.length > GRID) x = Array.from({length: GRID}, (_, i) => start + ((end - start) * i) / (GRID - 1));
  const found = {x, mean: [], low: [], high: []};
  for (const place of x) {
    const values = lines.map((line) => valueAt(line, place));
    const {mean, half} = interval(values, t975);
    found.mean.push(mean);
    found.low.push(band === "range" ? Math.min(...values) : mean - half);
    found.high.push(band === "range" ? Math.max(...values) : mean + half);
  }
  return found;
}

// Value of a curve at x: of the point before where it is held, else straight between two points.
export function valueAt({x, y, held}, place) {
  const at = upTo(x, place) - 1;
  if (at < 0) return null;
  if (held || at === x.length - 1 || x[at] === place) return y[at];
  return y[at] + ((place - x[at]) / (x[at + 1] - x[at])) * (y[at + 1] - y[at]);
}

// Places of the points that no other beats in both: none is smaller and at least as good. Ascending in size.
export function front(sizes, values, higher) {
  const gain = values.map((value) => (higher ? value : -value));
  const order = sizes.map((_, i) => i).sort((a, b) => sizes[a] - sizes[b] || gain[b] - gain[a]);
  let best = -Infinity;
  return order.filter((i) => gain[i] > best && ((best = gain[i]), true));
}
