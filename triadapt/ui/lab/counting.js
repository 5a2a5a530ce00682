// Twins of triadapt/growth/trainer_steps.py and target_matrices.py. What cannot be read gives null; Python says why.

const MOST_STEPS = 1_000_000;
const MODULE = /^([A-Za-z_][\w.]*)(?:\s+(\d{1,9})\s*[x×]\s*(\d{1,9}))?$/;

// Optimizer steps of a training as the Trainer of transformers counts them.
export function trainerSteps({epochs, rows, batch, accumulation, processes, drop_last: dropLast}) {
  const share = dropLast === "yes" ? Math.floor : Math.ceil;
  const all = share(rows / batch);
  const batches = share(all / processes);
  if (batches === 0) return null;
  const perEpoch = Math.ceil(batches / accumulation);
  const steps = Math.ceil(epochs * perEpoch);
  return steps <= MOST_STEPS ? steps : null;
}

// `query 768x768, value 768x768` over so many layers: how many matrices, and [sum of both sides, how many] or null.
export function targetMatrices(layers, modules) {
  const items = modules.split(",").map((item) => item.trim()).filter((item) => item);
  if (!items.length || items.length > 64) return null;
  const names = new Set();
  const shapes = [];
  for (const item of items) {
    const match = MODULE.exec(item);
    if (!match || names.has(match[1])) return null;
    names.add(match[1]);
    if (match[2] === undefined) continue;
    const sides = [Number(match[2]), Number(match[3])];
    if (sides.some((side) => side < 1 || side > 1_000_000)) return null;
    shapes.push([sides[0] + sides[1], layers]);
  }
  return {count: layers * items.length, shapes: shapes.length === items.length ? shapes : null};
}
