// One allocation in words, with its actual numbers.
import {matrixLabel, tidy} from "./theme.js";
import {neededWords} from "./need_words.js";

const WHY_ORDINALS = ["", "", "second ", "third ", "fourth ", "fifth ", "sixth ", "seventh ", "eighth ", "ninth ", "tenth "];
const WHY_SMALLEST_SHARE = 0.01; // percent

export function listed(words) {
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
  if (run.measured) return `${label} has no rank to grant or take: what is shown is how many singular values carry 99 % of the energy of dW.`;
  if (allocation === "fixed") {
    const ranks = Array.from(run.startRanks);
    const even = ranks.every((rank) => rank === ranks[0]);
    const held = ranks.filter((rank) => rank > 0).length;
    if (held < ranks.length) return `${label} puts rank ${total} on ${held} of ${ranks.length} matrices and never changes it.`;
    return `${label} gives every matrix ${even ? `rank ${ranks[0]}` : `its share of rank ${total}`} and never changes it.`;
  }
  if (!event) {
    const next = planned.length ? `the first is planned at step ${planned[0]}` : "and none is planned: the schedule never fires";
    return `${label} has not decided anything yet; ${next}.`;
  }
  if (event.late) return `Step ${event.t}, ${event.rule} rule: the importances of this event are on their way.`;
  if (event.rule === "saved" && run.started.total_step > 1) return `${label} begins with total rank ${event.total}, unevenly shared; it has not decided anything yet.`;
  if (event.rule === "saved") return `An adapter holds the ranks it ends with, total ${event.total}; why they are so it does not tell.`;
  if (!event.scores.length && !event.units.length) return `Step ${event.t}: ${unscoredWords(run, event)}`;
  const words = event.units.length ? unitWords(run, event) : growthWords(run, event);
  return `Step ${event.t}, ${event.rule} rule: ${words}${neededWords(run, event)}`;
}

// What happened at an event that was recorded without its importances, as other code logs it.
function unscoredWords(run, event) {
  const moved = (sign) => event.chosen.filter((i) => sign * (event.ranks[i] - event.before[i]) > 0);
  const parts = [["gained", moved(1)], ["lost", moved(-1)]].filter(([, who]) => who.length)
    .map(([verb, who]) => `${named(run, who, 4)} ${verb} rank`);
  const line = Number.isFinite(event.threshold) ? ` (threshold ${tidy(event.threshold)})` : "";
  const why = `${parts.length ? "Why is not known: importances" : "Importances"} were not recorded${line}.`;
  return `${parts.join("; ") || "no matrix changed rank"}. ${why}${capital(totalWords(run, event))}`;
}

// Triplets that are kept. Those tied at the threshold all go, so they may be fewer than the budget allows.
export function keptTriplets(event) {
  return Math.min(event.total, event.units.length);
}

// The matrices that were compared: our rules pass over those at full size, the published ones do not.
export function comparedMatrices(run, event) {
  const {matrices, config, method} = run.started;
  const all = Array.from(event.scores, (_, i) => i);
  if (((config || {})[method] || {}).behaviour === "reference") return all;
  return all.filter((i) => !matrices[i].shape || !matrices[i].shape[0] || event.before[i] < Math.min(...matrices[i].shape));
}

// "the third largest importance", and among which where not all matrices were compared.
export function thresholdPlace(run, event) {
  const compared = comparedMatrices(run, event).length;
  const among = compared < event.scores.length ? ` among the ${compared} not yet at full size` : "";
  return `the ${ordinalOf(event.allowed)}largest importance${among}`;
}

function unitWords(run, event) {
  const kept = keptTriplets(event);
  const lost = event.chosen.filter((i) => event.ranks[i] < event.before[i]);
  const gone = lost.reduce((sum, i) => sum + event.before[i] - event.ranks[i], 0);
  const regained = event.chosen.filter((i) => event.ranks[i] > event.before[i]);
  const names = lost.slice().sort((a, b) => (event.before[b] - event.ranks[b]) - (event.before[a] - event.ranks[a]))
    .slice(0, 4).map((i) => `${matrixLabel(run.started.matrices[i])} lost ${event.before[i] - event.ranks[i]}`);
  const more = lost.length > 4 ? ` and ${lost.length - 4} more lost some` : "";
  const back = regained.length ? ` ${named(run, regained, 3)} got rank back.` : "";
  const what = gone ? `${gone} ${gone === 1 ? "rank was" : "ranks were"} ${run.started.allocation === "freezes" ? "frozen" : "pruned"}: ${names.join(", ")}${more}.` : "no matrix lost rank.";
  const line = kept < event.units.length ? `, those with an importance above ${tidy(event.threshold)}` : "";
  const tied = kept < event.allowed ? ` A tie at the threshold cuts ${event.allowed - kept} more than the budget of ${event.allowed} asks.` : "";
  return `the budget keeps ${kept} of ${event.units.length} ${run.unit}s${line}; ${what}${spaced(marginWords(run, event))}${tied}${back}`
    + capital(totalWords(run, event));
}

function growthWords(run, event) {
  const {chosen} = event;
  const plain = (i) => matrixLabel(run.started.matrices[i]);
  const total = capital(totalWords(run, event));
  const used = run.started.target_total > 0 && event.total >= run.started.target_total;
  if (!event.allowed && !chosen.length) return `no matrix may grow${used ? ": the budget is used up" : ""}.${total}`;
  if (!event.allowed) return `${named(run, chosen, 5)} grew; how many might was not recorded.${total}`;
  const start = `${event.allowed} of ${event.scores.length} matrices may grow; ${thresholdPlace(run, event)} is `;
  let text = `${start}${tidy(event.threshold)}; `;
  if (!chosen.length) return `${text}no matrix grew${used ? ": the budget is used up" : ""}.${total}`;
  const names = chosen.slice(0, 5).map((i, at) => plain(i) + (at === 0 ? ` (${tidy(event.scores[i])})` : ""));
  // The one that sets the threshold reaches it: no need to say so.
  if (event.allowed === 1 && chosen.length === 1) text = `${start}that of ${names[0]}`;
  else text += `${chosen.length > 5 ? `${names.join(", ")} and ${chosen.length - 5} more` : listed(names)} reached it`;
  const tied = chosen.length > event.allowed ? ` A tie at the threshold let ${chosen.length} grow where ${event.allowed} may.` : "";
  const call = closestCall(run, event);
  if (!call) return `${text}.${tied}${total}`;
  if (event.scores[call.first] < event.threshold) return `${text}.${spaced(marginWords(run, event))}${tied}${total}`;
  if (chosen.length < event.allowed) return `${text}; ${plain(call.first)} reached it too, but the budget allowed no more.${total}`;
  return `${text}; ${plain(call.first)} ties with ${plain(call.last)}, but only ${event.allowed} may grow.${total}`;
}

const spaced = (text) => (text ? ` ${text}` : "");
const capital = (text) => ` ${text[0].toUpperCase()}${text.slice(1)}`;

// Where the event leaves the total rank, and where it should be in the end.
export function totalWords(run, event) {
  const {allocation, target_total: target} = run.started;
  if (!target) return `total rank ${event.total}.`;
  return (allocation === "prunes" || allocation === "freezes") && event.total > target ? `total rank ${event.total}, in the end ${target}.` : `total rank ${event.total} of ${target}.`;
}

// How close it was: the last that made it and the first that did not, {last, first, gap, of, range}; null if nothing was left
// out. `range` is from the largest to the smallest score. For triplets `last` and `first` are the matrices they belong to.
export function closestCall(run, event) {
  if (event.units.length) {
    const order = Array.from(event.units, (_, i) => i).sort((a, b) => event.units[b] - event.units[a]);
    const kept = keptTriplets(event);
    if (!kept || kept >= order.length) return null;
    return callBetween(event.units, order, order[kept - 1], order[kept], event.unitMatrix);
  }
  const order = comparedMatrices(run, event).sort((a, b) => event.scores[b] - event.scores[a]);
  const first = order.find((i) => !event.chosen.includes(i));
  if (!event.chosen.length || first === undefined) return null;
  const last = event.chosen.reduce((low, i) => (event.scores[i] < event.scores[low] ? i : low), event.chosen[0]);
  return callBetween(event.scores, order, last, first, null);
}

function callBetween(scores, order, last, first, owner) {
  return {
    last: owner ? owner[last] : last, first: owner ? owner[first] : first, gap: scores[last] - scores[first], of: scores[last],
    range: scores[order[0]] - scores[order[order.length - 1]],
  };
}

// The margin of the last chosen, or the tie it stands in, as a sentence. A share of the score itself would say nothing where
// scores lie around zero; one of the range of all scores says how much of the picture's height it is.
export function marginWords(run, event) {
  const call = closestCall(run, event);
  if (!call) return "";
  const triplets = event.units.length > 0;
  const [last, first] = [call.last, call.first].map((i) => matrixLabel(run.started.matrices[i]));
  if (call.gap === 0) {
    return triplets ? `The weakest kept (${last}) and the strongest cut (${first}) tie at ${tidy(call.of)}.`
      : `${last} and ${first} tie at ${tidy(call.of)}, and only the first may grow.`;
  }
  const percent = (100 * call.gap) / call.range;
  const share = `${percent < WHY_SMALLEST_SHARE ? `below ${WHY_SMALLEST_SHARE}` : tidy(percent)} % of the range of scores`;
  return triplets ? `The weakest kept, of ${last}, is ${tidy(call.gap)} (${share}) ahead of the strongest cut, of ${first}.`
    : `The last in, ${last}, has a margin of ${tidy(call.gap)} (${share}); ${first} missed it.`;
}
