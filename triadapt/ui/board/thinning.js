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

// Exponential moving average with the start's bias taken out; NaN is passed over. Of values that only grow in number.
export class Smoothed {
  constructor(span) {
    this.share = 2 / (span + 1);
    this.mean = 0;
    this.weight = 0;
    this.values = [];
  }

  // The averages of all `values`, of which those known before are not computed again.
  of(values) {
    for (let i = this.values.length; i < values.length; i += 1) {
      if (Number.isFinite(values[i])) {
        this.mean += this.share * (values[i] - this.mean);
        this.weight += this.share * (1 - this.weight);
      }
      this.values.push(this.weight ? this.mean / this.weight : null);
    }
    return this.values;
  }
}
