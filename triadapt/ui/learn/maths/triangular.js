// TriAdaptLoRA's update by hand: dW = s * B (L + U) A, and how a block is added. Twin of triadapt/methods/triadaptlora/layer.py;
// a test holds the two together.
const zeros = (rows, columns) => Array.from({length: rows}, () => new Array(columns).fill(0));

export const sum = (values) => values.reduce((total, value) => total + value, 0);

// Whether an entry of L counts: in each block's rows, from column 0 to the end of its own diagonal block.
export function inLower(blocks, row, column) {
  let end = 0;
  for (const size of blocks) {
    end += size;
    if (row < end) return column < end;
  }
  return false;
}

// Which block an entry of L + U belongs to, from 0: the later of its row's and its column's.
export function blockOf(blocks, row, column) {
  let end = 0;
  for (let i = 0; i < blocks.length; i += 1) {
    end += blocks[i];
    if (Math.max(row, column) < end) return i;
  }
  return -1;
}

// Trainable numbers: r (in + out) of A and B, and of L and U twice each block's size times the rank after it.
export function parameterCount(blocks, inside, outside) {
  let rank = 0;
  let core = 0;
  for (const size of blocks) {
    rank += size;
    core += size * rank;
  }
  return rank * (inside + outside) + 2 * core;
}

export function product(a, b) {
  return a.map((row) => Array.from(b[0], (_, j) => sum(row.map((value, k) => value * b[k][j]))));
}

export function coreOf({L, U}) {
  return L.map((row, i) => row.map((value, j) => value + U[i][j]));
}

export function deltaOf(adapter) {
  return product(product(adapter.B, coreOf(adapter)), adapter.A).map((row) => row.map((value) => adapter.scale * value));
}

export function outputOf(W, adapter, x) {
  const update = deltaOf(adapter);
  return W.map((row, i) => sum(row.map((value, j) => (value + update[i][j]) * x[j])));
}

// The adapter after growing by `gain` ranks. draw(): the next random number. init `identity`: new B = 0, the new diagonal block of
// L is I, all else of L and U is 0; `gaussian`: everything new is drawn, as published.
export function grown(adapter, gain, init, draw) {
  const {A, B, L, U, blocks} = adapter;
  const old = A.length;
  const rank = old + gain;
  const drawn = init === "gaussian";
  const bigger = (core) => zeros(rank, rank).map((row, i) => row.map((_, j) => (i < old && j < old ? core[i][j] : 0)));
  const [nextL, nextU] = [bigger(L), bigger(U)];
  for (let i = old; i < rank; i += 1) {
    if (!drawn) nextL[i][i] = 1;
    else for (let j = 0; j < rank; j += 1) [nextL[i][j], nextU[j][i]] = [draw(), draw()];
  }
  return {
    ...adapter, blocks: [...blocks, gain], L: nextL, U: nextU,
    A: [...A, ...zeros(gain, A[0].length).map((row) => row.map(draw))],
    B: B.map((row) => [...row, ...new Array(gain).fill(0).map(() => (drawn ? draw() : 0))]),
  };
}

// Numbers that look drawn and are the same for every reader, between -1 and 1.
export function drawer(seed) {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Number(((state / 2 ** 31) - 1).toFixed(2));
  };
}
