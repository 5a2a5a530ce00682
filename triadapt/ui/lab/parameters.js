// Twin of triadapt/growth/parameters.py: trainable parameters along a plan, evenly spread, and the bounds.

// shapes: [sum of both sides, how many matrices] in any order. Columns `even`, `least`, `most`, the start first.
export function parametersAlong(seen, shapes, addRank, referenceRank) {
  if (!shapes) return null;
  const widths = shapes.flatMap(([width, count]) => new Array(count).fill(width + (seen.method === "triadaptlora" || seen.allocation === "fixed" ? 0 : 1)));
  widths.sort((a, b) => a - b);
  const narrow = sums(widths);
  const wide = sums([...widths].reverse());
  const whole = narrow[widths.length];
  if (seen.allocation === "fixed") return {even: [referenceRank * whole], least: [referenceRank * whole], most: [referenceRank * whole]};
  return seen.allocation === "prunes" ? kept(seen, widths, narrow, wide, whole) : grown(seen, addRank, widths, narrow, wide, whole);
}

function sums(values) {
  const found = new Float64Array(values.length + 1);
  values.forEach((value, i) => { found[i + 1] = found[i] + value; });
  return found;
}

const nearest = (value) => Math.floor(value + 0.5);

function kept(seen, widths, narrow, wide, whole) {
  const {initRank: most, n} = seen;
  const counts = {even: [], least: [], most: []};
  for (const total of [seen.start, ...seen.columns.total]) {
    const full = Math.floor(total / most);
    const rest = total - full * most;
    counts.even.push(nearest((whole * total) / n));
    counts.least.push(narrow[full] * most + (rest ? widths[full] * rest : 0));
    counts.most.push(wide[full] * most + (rest ? widths[n - 1 - full] * rest : 0));
  }
  return counts;
}

function grown(seen, addRank, widths, narrow, wide, whole) {
  const n = widths.length;
  const triangular = seen.method === "triadaptlora";
  const counts = {even: [], least: [], most: []};
  const sameFirst = new Float64Array(n).fill(1);
  let [total, blocks, last, least, most, coreMost] = [n, 0, 0, whole, whole, triangular ? 2 * n : 0];
  const count = () => {
    const core = triangular ? evenCore(n, addRank, blocks, last) : 0;
    counts.even.push(nearest((whole * total) / n) + core);
    counts.least.push(least + core);
    counts.most.push(most + coreMost);
  };
  count();
  for (const change of seen.columns.change) {
    const full = Math.floor(change / addRank);
    const rest = change - full * addRank;
    least += addRank * narrow[full] + (rest ? rest * widths[full] : 0);
    most += addRank * wide[full] + (rest ? rest * widths[n - 1 - full] : 0);
    if (triangular) {
      for (let place = 0; place < full + (rest > 0 ? 1 : 0); place += 1) {
        const gain = place < full ? addRank : rest;
        sameFirst[place] += gain;
        coreMost += 2 * gain * sameFirst[place];
      }
    }
    total += change;
    blocks += full;
    last = rest;
    count();
  }
  return counts;
}

// Entries of L and U when `blocks` blocks are spread evenly over n matrices that start at rank 1.
function evenCore(n, addRank, blocks, last) {
  const each = Math.floor(blocks / n);
  const more = blocks - each * n;
  const rank = 1 + addRank * each;
  const core = 2 * (rank + (addRank * addRank * each * (each + 1)) / 2);
  return n * core + more * 2 * addRank * (rank + addRank) + 2 * last * (rank + last);
}
