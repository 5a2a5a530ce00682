// The four beats of slow motion in words: score, sort, threshold, grow (or cut).
import {matrixLabel, tidy} from "./theme.js";
import {keptTriplets, marginWords, named, ordinalOf, thresholdPlace, totalWords} from "./why_words.js";

export const SLOW_BEATS = ["score", "sort", "threshold", "grow"];
const SLOW_NAMED = 6;

export function beatWords(run, event, beat) {
  const name = beat === 3 && event.units.length ? "cut" : SLOW_BEATS[beat];
  return `${beat + 1} of ${SLOW_BEATS.length}, ${name}: ${[scoreWords, sortWords, thresholdWords, changeWords][beat](run, event)}`;
}

function scoreWords(run, event) {
  const triplets = event.units.length > 0;
  const scores = triplets ? event.units : event.scores;
  const best = scores.reduce((most, score, i) => (score > scores[most] ? i : most), 0);
  const low = scores.reduce((least, score) => Math.min(least, score), Infinity);
  const label = matrixLabel(run.started.matrices[triplets ? event.unitMatrix[best] : best]);
  return `at step ${event.t} each of ${scores.length} ${triplets ? `${run.unit}s` : "matrices"} has an importance, from ${tidy(low)} to ${tidy(scores[best])} (${label}).`;
}

function sortWords(run, event) {
  return `the same ${(event.units.length ? event.units : event.scores).length} numbers, largest first; only their order counts from here.`;
}

function thresholdWords(run, event) {
  const margin = marginWords(run, event);
  const edge = margin ? ` ${margin}` : "";
  if (event.units.length) {
    const kept = keptTriplets(event);
    const line = kept && kept < event.units.length ? `, so the line lies below the ${ordinalOf(kept)}largest, at ${tidy(event.threshold)}` : "";
    return `the budget keeps ${kept} of ${event.units.length}${line}.${edge}`;
  }
  if (!event.allowed) return "no matrix may grow, so there is no line.";
  return `${event.allowed} of ${event.scores.length} may grow, so the line lies at ${thresholdPlace(run, event)}, ${tidy(event.threshold)}.${edge}`;
}

function changeWords(run, event) {
  if (!event.chosen.length) return event.units.length ? "nothing falls: no matrix changes its rank." : "no matrix grew.";
  const changes = event.chosen.slice(0, SLOW_NAMED).map((i) => `${named(run, [i], 1)} ${event.before[i]} → ${event.ranks[i]}`);
  const more = event.chosen.length > SLOW_NAMED ? ` and ${event.chosen.length - SLOW_NAMED} more` : "";
  return `${changes.join(", ")}${more}; ${totalWords(run, event)}`;
}
