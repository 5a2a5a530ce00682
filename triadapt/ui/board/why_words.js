// One allocation in words, with its actual numbers.
import {matrixLabel, tidy} from "./theme.js";

const WHY_ORDINALS = ["", "", "second ", "third ", "fourth ", "fifth ", "sixth ", "seventh ", "eighth ", "ninth ", "tenth "];

function listed(words) {
  if (words.length < 2) return words.join("");
  return `${words.slice(0, -1).join(", ")} and ${words[words.length - 1]}`;
}

export function ordinalOf(rank) {
  if (rank < WHY_ORDINALS.length) return WHY_ORDINALS[rank];
  const tail = rank % 100 > 10 && rank % 100 < 14 ? "th" : ["th", "st", "nd", "rd"][rank % 10] || "th";
  return `${rank}${tail} `;
}

export function named(run, indices, most) {
  const names = indices.slice(0, most).map((i) => matrixLabel(run.started.matrices[i]));
  return indices.length > most ? `${names.join(", ")} and ${indices.length - most} more` : listed(names);
}

// One event in words, with its actual numbers. `event` null: nothing was decided yet.
export function whyWords(run, event) {
  const {label, allocation, planned, start_total: total} = run.started;
  const n = run.size;
  if (allocation === "fixed") {
    const ranks = Array.from(run.startRanks);
    const even = ranks.every((rank) => rank === ranks[0]);
    return `${label} gives every matrix ${even ? `rank ${ranks[0]}` : `its share of rank ${total}`} and never changes it.`;
  }
  if (!event) {
    const next = planned.length ? `the first is planned at step ${planned[0]}` : "and none is planned: the schedule never fires";
    return `${label} has not decided anything yet; ${next}.`;
  }
  if (event.late) return `Step ${event.t}, ${event.rule} rule: the importances of this event are on their way.`;
  return event.units.length ? unitWords(run, event) : growthWords(run, event, n);
}

function unitWords(run, event) {
  const lost = event.chosen.filter((i) => event.ranks[i] < event.before[i]);
  const gone = lost.reduce((sum, i) => sum + event.before[i] - event.ranks[i], 0);
  const regained = event.chosen.filter((i) => event.ranks[i] > event.before[i]);
  const names = lost.slice().sort((a, b) => (event.before[b] - event.ranks[b]) - (event.before[a] - event.ranks[a]))
    .slice(0, 4).map((i) => `${matrixLabel(run.started.matrices[i])} lost ${event.before[i] - event.ranks[i]}`);
  const more = lost.length > 4 ? ` and ${lost.length - 4} more lost some` : "";
  const back = regained.length ? ` ${named(run, regained, 3)} got rank back.` : "";
  const what = gone ? `${gone} ${gone === 1 ? "was" : "were"} pruned: ${names.join(", ")}${more}.` : "none was pruned.";
  const edge = marginWords(run, event, true);
  return `Step ${event.t}, ${event.rule} rule: the budget keeps ${event.allowed} of ${event.units.length} triplets, those with `
    + `an importance of at least ${tidy(event.threshold)}; ${what}${edge ? ` ${edge}` : ""}${back}`;
}

function growthWords(run, event, n) {
  const sorted = Array.from(event.scores, (_, i) => i).sort((a, b) => event.scores[b] - event.scores[a]);
  const chosen = event.chosen;
  const plain = (i) => matrixLabel(run.started.matrices[i]);
  let text = `Step ${event.t}, ${event.rule} rule: ${event.allowed} of ${n} matrices may grow; the ${ordinalOf(event.allowed)}`
    + `largest importance is ${tidy(event.threshold)}; `;
  if (!chosen.length) return `${text}no matrix grew${event.total >= run.started.target_total ? ": the budget is used up" : ""}.`;
  const names = chosen.slice(0, 5).map((i, at) => plain(i) + (at === 0 ? ` (${tidy(event.scores[i])})` : ""));
  text += `${chosen.length > 5 ? `${names.join(", ")} and ${chosen.length - 5} more` : listed(names)} reached it`;
  const missed = sorted.find((i) => !chosen.includes(i));
  const end = plantedWords(run, chosen);
  const tied = chosen.length > event.allowed ? ` A tie at the threshold let ${chosen.length} grow where ${event.allowed} may.` : "";
  if (missed === undefined) return `${text}.${tied}${end}`;
  const last = lowestOf(event, chosen);
  const gap = event.scores[last] - event.scores[missed];
  if (gap > 0 && event.scores[missed] < event.threshold) return `${text}. ${marginWords(run, event, false)}${tied}${end}`;
  const why = gap === 0 ? `ties with ${plain(last)}` : "reached it too";
  return `${text}; ${plain(missed)} ${why}, but the budget allowed no more.${end}`;
}

function lowestOf(event, chosen) {
  return chosen.reduce((low, i) => (event.scores[i] < event.scores[low] ? i : low), chosen[0]);
}

// How close it was: the last that made it and the first that did not, {last, first, gap, of}; null if nothing was left out.
// For triplets `last` and `first` are the matrices they belong to.
export function closestCall(event) {
  if (event.units.length) {
    const order = Array.from(event.units, (_, i) => i).sort((a, b) => event.units[b] - event.units[a]);
    if (!event.allowed || event.allowed >= order.length) return null;
    const [last, first] = [order[event.allowed - 1], order[event.allowed]];
    return {last: event.unitMatrix[last], first: event.unitMatrix[first], gap: event.units[last] - event.units[first], of: event.units[last]};
  }
  const left = Array.from(event.scores, (_, i) => i).filter((i) => !event.chosen.includes(i));
  if (!event.chosen.length || !left.length) return null;
  const last = lowestOf(event, event.chosen);
  const first = left.reduce((best, i) => (event.scores[i] > event.scores[best] ? i : best), left[0]);
  return {last, first, gap: event.scores[last] - event.scores[first], of: event.scores[last]};
}

// The margin of the last chosen, or the tie it stands in, as a sentence.
export function marginWords(run, event, triplets) {
  const call = closestCall(event);
  if (!call) return "";
  const [last, first] = [call.last, call.first].map((i) => matrixLabel(run.started.matrices[i]));
  if (call.gap === 0) {
    return triplets ? `The weakest kept (${last}) and the strongest cut (${first}) tie at ${tidy(call.of)}.`
      : `${last} and ${first} tie at ${tidy(call.of)}, and only the first may grow.`;
  }
  const share = call.of > 0 ? ` (${tidy((100 * call.gap) / call.of)} %)` : "";
  return triplets ? `The weakest kept, of ${last}, is ${tidy(call.gap)}${share} ahead of the strongest cut, of ${first}.`
    : `The last in, ${last}, has a margin of ${tidy(call.gap)}${share}; ${first} missed it.`;
}

// Was it needed? Known on the planted task only.
function plantedWords(run, chosen) {
  const {matrices} = run.started;
  if (!matrices.some((matrix) => matrix.planted)) return "";
  const needed = chosen.filter((i) => matrices[i].planted).length;
  if (chosen.length === 1) return needed ? " Rank is planted there: it was needed." : " Nothing is planted there.";
  return ` Rank is planted in ${needed || "none"} of these ${chosen.length}.`;
}
