// What the charts over time are drawn against: steps, running time, trainable parameters, or work done in the adapters.
import {between} from "./frames.js";

export const X_KINDS = {
  step: {label: "step", title: "Steps done"},
  time: {label: "time", unit: "s of running time", title: "Running time; pauses do not count"},
  parameters: {label: "parameters", unit: "trainable parameters", title: "Trainable parameters at each moment"},
  flops: {
    label: "FLOPs", unit: "FLOPs of the adapters, for one row of every batch",
    title: "Work in the adapters so far, estimated: 6 floating-point operations a trainable parameter, row and step",
  },
};

function parametersAt(run, step) {
  const at = run.eventAt(step);
  return (at < 0 ? run.started.parameters : run.events[at].params) || NaN; // 0: not recorded
}

// Parameters summed over the steps before `step`, times 6: forward, and backward to inputs and to weights, two each.
function flopsAt(run, step) {
  let sum = 0;
  let from = 0;
  let held = run.started.parameters;
  for (const event of run.events) {
    if (event.t >= step) break;
    sum += held * (event.t - from);
    from = event.t;
    held = event.params;
  }
  return run.started.parameters ? 6 * (sum + held * (Math.max(0, step) - from)) : NaN;
}

// Place of `step` of `run` on the axis of this kind.
export function xAt(run, kind, step) {
  if (kind === "time") return between(run.clock.t, run.clock.time, step) ?? 0;
  if (kind === "parameters") return parametersAt(run, step);
  if (kind === "flops") return flopsAt(run, step);
  return step;
}

// Whole axis: steps and FLOPs as planned, the rest as far as it is known.
export function xRange(runs, kind, total) {
  if (kind === "step") return [0, total];
  const drawn = runs.filter((run) => run.started);
  const values = drawn.flatMap((run) => [0, run.last, ...run.events.map((event) => event.t)].map((step) => xAt(run, kind, Math.max(0, step)))).filter(Number.isFinite);
  const [low, high] = [Math.min(...values), Math.max(...values)];
  if (!values.length || !Number.isFinite(low)) return [0, 1];
  if (kind !== "parameters") return [0, high || 1];
  const room = (high - low || high || 1) * 0.04;
  return [low - room, high + room];
}

// Step of the recorded moment of `run` that lies closest to x.
export function stepAt(run, kind, x) {
  if (kind === "step") return Math.round(x);
  const moments = kind === "time" ? run.step.t : [0, ...run.events.map((event) => event.t), Math.max(0, run.last)];
  let best = 0;
  let gap = Infinity;
  for (const step of moments) {
    const away = Math.abs(xAt(run, kind, step) - x);
    if (away < gap) [best, gap] = [step, away];
  }
  return best;
}

