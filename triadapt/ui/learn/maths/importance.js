// Importance, and who reaches the threshold. Twin of triadapt/growth/threshold.py; a test holds the two together.

// Frobenius norm of L + U over the number of blocks.
export function normalizedFrobenius(core, blocks) {
  return Math.sqrt(core.flat().reduce((sum, value) => sum + value * value, 0)) / blocks;
}

// Indices of scores, the highest first; equal ones in the order of the matrices.
export const byScore = (scores) => Array.from(scores, (_, i) => i).sort((a, b) => scores[b] - scores[a] || a - b);

// The k-th largest score, in single precision as training compares them; NaN where nobody may enter.
export function growthThreshold(scores, k) {
  if (k < 1) return NaN;
  return Array.from(scores, Math.fround).sort((a, b) => b - a)[k - 1];
}

// Indices of the scores that reach the threshold, best first; equal scores in the order of the matrices.
export function atOrAbove(scores, threshold) {
  const values = Array.from(scores, Math.fround);
  return byScore(values).filter((i) => values[i] >= Math.fround(threshold));
}
