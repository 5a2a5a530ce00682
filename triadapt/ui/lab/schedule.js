// Twin of triadapt/growth/schedule.py and growth/preview.py, so that the picture follows a slider without the server. Python
// decides; a test holds the two together.

const clamp = (value, low, high) => Math.max(low, Math.min(value, high));

// Matrices that may grow at an event.
export function allowedMatrices(values, method, mode, step, steps, total, n) {
  const target = values.reference_rank * n;
  const gap = target - total;
  const published = values.behaviour === "reference";
  if (method === "increlora") return Math.min(values.top_h, published ? gap : Math.ceil(gap / values.add_r), n);
  if (gap <= 0) return 0;
  const progress = (step - values.warmup) / (steps - values.warmup);
  const count = mode === "linear" ? Math.floor(gap * progress) : mode === "non-linear" ? Math.floor(Math.exp(progress * Math.log(gap))) : values.top_h;
  const allowed = clamp(count, 1, Math.max(1, n));
  return mode === "fixed" || published ? allowed : Math.max(1, Math.floor(allowed / values.add_r));
}

// Python's round: halves go to the even neighbour.
export function round(value) {
  const down = Math.floor(value);
  const rest = value - down;
  return rest > 0.5 || (rest === 0.5 && down % 2 === 1) ? down + 1 : down;
}

// AdaLoRA's schedule as PEFT takes it.
export function pruningSchedule(values, steps) {
  const initRank = Math.max(values.reference_rank + 1, round(values["adalora.init_rank_ratio"] * values.reference_rank));
  const tfinal = round(values["adalora.final_share"] * steps);
  return {initRank, tinit: values.warmup, tfinal, delta: values.interval, steps, finalStep: steps - tfinal};
}

export function adaloraBudget(step, initTotal, target, {tinit, tfinal, steps}) {
  if (step <= tinit) return initTotal;
  if (step > steps - tfinal) return target;
  const remaining = 1 - (step - tinit) / (steps - tfinal - tinit);
  return Math.trunc((initTotal - target) * remaining ** 3 + target);
}

// The events of one line ({method, growth, allocation}) over n matrices: columns of equal length. `end` is where allocation is
// over; `refused`: a schedule that no run would start.
export function plan(values, line, steps, n) {
  const target = values.reference_rank * n;
  const columns = {step: [], gap: [], allowed: [], change: [], total: []};
  const seen = {...line, n, target, start: n, end: steps, steps, warmup: values.warmup, refused: false, columns};
  if (line.allocation === "fixed") return {...seen, start: target, end: 0};
  if (line.allocation === "prunes") return prune(seen, values, pruningSchedule(values, steps));
  if (target <= n || values.warmup >= steps) return seen;
  let total = n;
  const first = (Math.floor(values.warmup / values.interval) + 1) * values.interval;
  for (let step = first; step < steps && total < target; step += values.interval) {
    const allowed = allowedMatrices(values, line.method, line.growth, step, steps, total, n);
    const after = total + allowed * values.add_r;
    const held = values.behaviour === "reference" ? after : Math.min(target, after);
    append(columns, step, target - total, allowed, total, held);
    total = held;
  }
  if (total >= target) seen.end = columns.step[columns.step.length - 1];
  return seen;
}

function prune(seen, values, schedule) {
  const {columns, target} = seen;
  const start = schedule.initRank * seen.n;
  let total = start;
  const mask = (step) => {
    const budget = adaloraBudget(step, start, target, schedule);
    append(columns, step, total - budget, budget, total, budget);
    total = budget;
  };
  const refused = schedule.tinit >= schedule.finalStep;
  if (!refused) {
    for (let step = (Math.floor(schedule.tinit / schedule.delta) + 1) * schedule.delta; step < schedule.finalStep; step += schedule.delta) mask(step);
    if (schedule.tfinal) mask(schedule.finalStep);
  }
  return {...seen, start, end: schedule.finalStep, initRank: schedule.initRank, refused};
}

// How far allocation has come at a step, from 0 to 1.
export function progressAt(seen, step) {
  const end = seen.allocation === "prunes" ? seen.end : seen.steps;
  return (step - seen.warmup) / Math.max(1, end - seen.warmup);
}

function append(columns, step, gap, allowed, before, total) {
  columns.step.push(step);
  columns.gap.push(gap);
  columns.allowed.push(allowed);
  columns.change.push(total - before);
  columns.total.push(total);
}
