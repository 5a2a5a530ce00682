// How much of the allocated rank the change of a matrix uses. The Python twin is triadapt/views/effective_rank.py.
import {lastAtOrBefore} from "./frames.js";

const EFFECTIVE_ENERGY = 0.99;
const effectiveKept = new WeakMap();

// Per matrix of a geometry record, the number of singular values that carry 99 % of the energy (sum of squares) of dW.
export function effectiveRanks(record) {
  const held = effectiveKept.get(record);
  if (held) return held;
  const counts = [];
  let first = 0;
  for (const rank of record.ranks) {
    counts.push(effectiveOf(record.singular.subarray(first, first + rank)));
    first += rank;
  }
  effectiveKept.set(record, counts);
  return counts;
}

function effectiveOf(singular) {
  const squares = Array.from(singular).filter(Number.isFinite).map((value) => value * value).sort((a, b) => b - a);
  let sum = 0;
  const energy = squares.map((value) => (sum += value));
  return sum === 0 ? 0 : energy.findIndex((value) => value >= EFFECTIVE_ENERGY * sum) + 1;
}

// What the newest geometry at or before a step says: {t, used, older}, null if there is none. `used[i]` is null where the
// rank of matrix i has changed since; `older` tells whether any has.
export function usedAt(run, step) {
  const at = lastAtOrBefore(run.geometry, step);
  if (at < 0) return null;
  const record = run.geometry[at];
  const ranks = run.ranksAt(step);
  const used = effectiveRanks(record).map((count, i) => (record.ranks[i] === ranks[i] ? count : null));
  return {t: record.t, used, older: used.includes(null)};
}
