// Importance over the rank events of a run: what stood against the threshold, in which place, and who was chosen.

const decidingKept = new WeakMap();
const seriesKept = new WeakMap();

// Per matrix, the number that decided at an event. Where matrices were compared, its importance. Where triplets were
// (AdaLoRA), the score of the weakest triplet it held before: at the threshold or below it lost at least that one. NaN if unknown.
export function decidingScores(event) {
  if (!event.units.length) return event.scores;
  const held = decidingKept.get(event);
  if (held) return held;
  const triplets = Array.from(event.before, () => []);
  event.units.forEach((score, i) => triplets[event.unitMatrix[i]].push(score));
  const scores = triplets.map((own, i) => {
    if (!own.length) return NaN;
    own.sort((a, b) => b - a);
    return own[Math.min(own.length, Math.max(1, event.before[i])) - 1];
  });
  decidingKept.set(event, scores);
  return scores;
}

// {events, n, triplets, values[event][matrix], places[event][matrix] from 1, counts[matrix]: times chosen}; events without
// scores are left out. Null where there is none.
export function importanceSeries(run) {
  const held = seriesKept.get(run);
  if (held && held.generation === run.version && held.seen === run.events.length) return held.series;
  const events = run.events.filter((event) => event.scores.length);
  const n = run.size;
  const values = events.map(decidingScores);
  const counts = new Array(n).fill(0);
  for (const event of events) for (const i of event.chosen) counts[i] += 1;
  const places = values.map((row) => {
    const place = new Array(n);
    const order = Array.from(row, (_, i) => i).sort((a, b) => (row[b] || 0) - (row[a] || 0) || a - b);
    order.forEach((i, at) => { place[i] = at + 1; });
    return place;
  });
  const series = events.length ? {events, n, triplets: events.some((event) => event.units.length), values, places, counts} : null;
  seriesKept.set(run, {generation: run.version, seen: run.events.length, series});
  return series;
}

// The matrices most often chosen among `candidates`, ties by their last importance.
export function oftenChosen(series, candidates, most) {
  const last = series.values[series.values.length - 1];
  return candidates.slice().sort((a, b) => series.counts[b] - series.counts[a] || (last[b] || 0) - (last[a] || 0)).slice(0, most);
}
