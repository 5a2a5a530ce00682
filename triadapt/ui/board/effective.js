// How much of the allocated rank the change of a matrix uses. The Python twin is triadapt/methods/effective_rank.py.
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

// Squares of singular values, largest first; what is not finite carries no energy.
function squaresOf(singular) {
  return Array.from(singular).filter(Number.isFinite).map((value) => value * value).sort((a, b) => b - a);
}

function effectiveOf(singular) {
  const squares = squaresOf(singular);
  let sum = 0;
  const energy = squares.map((value) => (sum += value));
  return sum === 0 ? 0 : energy.findIndex((value) => value >= EFFECTIVE_ENERGY * sum) + 1;
}

// Index of the newest geometry that describes the state at a step, -1 if none. Geometry is stamped with the number of steps
// done, so what was measured at a rank event of step t is found under t + 1.
export function geometryAt(run, step) {
  return lastAtOrBefore(run.geometry, step + 1);
}

// What that geometry says: {t, used, older}, null if there is none. `used[i]` is null where the rank of matrix i has changed
// since; `older` tells whether any has. What freezes stays part of dW, so its record has more ranks than still train, and none
// of them was lost.
export function usedAt(run, step) {
  const at = geometryAt(run, step);
  if (at < 0) return null;
  const record = run.geometry[at];
  const ranks = run.ranksAt(step);
  const frozen = run.started.allocation === "freezes";
  const used = effectiveRanks(record).map((count, i) => (frozen || record.ranks[i] === ranks[i] ? count : null));
  return {t: record.t, used, older: used.includes(null)};
}

// Share of the energy of matrix `index` that its `rank` largest singular values do not carry; null where dW is zero.
export function energyBeyond(record, index, rank) {
  let first = 0;
  for (let i = 0; i < index; i += 1) first += record.ranks[i];
  const squares = squaresOf(record.singular.subarray(first, first + record.ranks[index]));
  const whole = squares.reduce((sum, value) => sum + value, 0);
  return whole > 0 ? squares.slice(rank).reduce((sum, value) => sum + value, 0) / whole : null;
}
