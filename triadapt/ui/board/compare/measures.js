// Numbers of an allocation, and of two. The Python twins are in triadapt/views/compare/agreement.py, interval.py and
// triadapt/views/recovery.py.

// The place of each value in their order, from 1; equal ones share the mean of their places.
export function averageRanks(values) {
  const order = Array.from(values, (_, i) => i).sort((a, b) => values[a] - values[b]);
  const places = new Array(values.length);
  for (let i = 0; i < order.length;) {
    let end = i;
    while (end < order.length && values[order[end]] === values[order[i]]) end += 1;
    for (let j = i; j < end; j += 1) places[order[j]] = (i + 1 + end) / 2;
    i = end;
  }
  return places;
}

// Spearman's rank correlation; null where one of them is constant.
export function spearman(first, second) {
  const centred = (values) => {
    const middle = (values.length + 1) / 2;
    return averageRanks(values).map((place) => place - middle);
  };
  const [x, y] = [centred(first), centred(second)];
  const dot = (a, b) => a.reduce((sum, value, i) => sum + value * b[i], 0);
  const scale = Math.sqrt(dot(x, x) * dot(y, y));
  return scale ? Math.max(-1, Math.min(1, dot(x, y) / scale)) : null;
}

// How evenly rank is spread: 1 the same everywhere, 0 all on one; null without rank or with a single matrix.
export function entropy(ranks) {
  const total = ranks.reduce((sum, rank) => sum + rank, 0);
  if (total <= 0 || ranks.length < 2) return null;
  let sum = 0;
  for (const rank of ranks) if (rank > 0) sum -= (rank / total) * Math.log(rank / total);
  return Math.max(0, Math.min(1, sum / Math.log(ranks.length)));
}

// How much the choice changes from one rank event to the next; `chosen` is a list of sets. null with fewer than two.
export function churn(chosen) {
  const sets = chosen.filter((set) => set.size);
  if (sets.length < 2) return null;
  let sum = 0;
  for (let i = 1; i < sets.length; i += 1) {
    let both = 0;
    for (const index of sets[i]) if (sets[i - 1].has(index)) both += 1;
    sum += 1 - both / (sets[i].size + sets[i - 1].size - both);
  }
  return sum / (sets.length - 1);
}

// {coverage, precision} of planted ranks, null where there is nothing to share out.
export function recovery(ranks, planted, start) {
  if (!planted) return {coverage: null, precision: null};
  const needed = planted.reduce((sum, rank) => sum + rank, 0);
  if (!needed) return {coverage: null, precision: null};
  let grown = Array.from(ranks, (rank, i) => Math.max(0, rank - start[i]));
  if (!grown.some(Boolean)) grown = Array.from(ranks);
  const total = grown.reduce((sum, rank) => sum + rank, 0);
  const on = grown.reduce((sum, rank, i) => sum + (planted[i] > 0 ? rank : 0), 0);
  const covered = planted.reduce((sum, rank, i) => sum + Math.min(rank, ranks[i]), 0);
  return {coverage: covered / needed, precision: total ? on / total : null};
}

// {mean, half, count} of independent values: the mean and half its 95 % interval, null for fewer than two.
export function interval(values, t975) {
  const count = values.length;
  const mean = values.reduce((sum, value) => sum + value, 0) / count;
  if (count < 2) return {mean: count ? mean : null, half: null, count};
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (count - 1);
  return {mean, half: t975[Math.min(count - 2, t975.length - 1)] * Math.sqrt(variance / count), count};
}

// Pairs behind the correlations `rho(i, j)`: seeds of one group, and two groups under the same seed.
export function pairTable(runs, groups, rho) {
  const seeds = new Map();
  const methods = new Map();
  runs.forEach((run, i) => runs.slice(0, i).forEach((other, j) => {
    const value = rho(i, j);
    if (value === null) return;
    const same = run.group === other.group;
    if (!same && run.seed !== other.seed) return;
    const name = same ? `seeds of ${groups[run.group]}` : `${groups[other.group]} and ${groups[run.group]}, same seed`;
    const kinds = same ? seeds : methods;
    kinds.set(name, [...(kinds.get(name) || []), value]);
  }));
  return [...seeds, ...methods].map(([pairs, values]) => ({
    pairs, mean: values.reduce((sum, value) => sum + value, 0) / values.length, lowest: Math.min(...values), highest: Math.max(...values),
    count: values.length,
  }));
}
