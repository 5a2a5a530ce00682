// Fewer points of a curve with its peaks kept, and its smoothed form.

// Indices of at most `limit` values, the smallest and the largest of each bin kept.
export function keepExtremes(values, limit) {
  const n = values.length;
  if (n <= limit) return values.map((_, i) => i);
  const bins = Math.max(1, Math.floor((limit - 2) / 2));
  const kept = [0];
  for (let bin = 0; bin < bins; bin += 1) {
    const start = Math.floor((bin * n) / bins);
    const stop = Math.floor(((bin + 1) * n) / bins);
    let low = start;
    let high = start;
    for (let i = start; i < stop; i += 1) {
      if (values[i] < values[low]) low = i;
      if (values[i] > values[high]) high = i;
    }
    for (const i of low < high ? [low, high] : [high, low]) if (i !== kept[kept.length - 1]) kept.push(i);
  }
  if (kept[kept.length - 1] !== n - 1) kept.push(n - 1);
  return kept;
}

// Exponential moving average with the start's bias taken out; NaN is passed over.
export function smoothed(values, span) {
  const share = 2 / (span + 1);
  let mean = 0;
  let weight = 0;
  return values.map((value) => {
    if (Number.isFinite(value)) {
      mean += share * (value - mean);
      weight += share * (1 - weight);
    }
    return weight ? mean / weight : null;
  });
}
