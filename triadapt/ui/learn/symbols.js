// The symbols of the formulas: how each is written, what it is, and its shape. A symbol looks and means the same everywhere.
const mi = (letter) => `<mi>${letter}</mi>`;
const sub = (base, below) => `<msub>${mi(base)}<mtext>${below}</mtext></msub>`;

export const SYMBOLS = {
  W: [mi("W"), "a frozen weight matrix of the model", "out × in"],
  dW: ["<mrow><mi>Δ</mi><mi>W</mi></mrow>", "the change that training adds to W", "out × in"],
  x: [mi("x"), "what goes into the matrix: one number a feature", "in"],
  h: [mi("h"), "what comes out", "out"],
  A: [mi("A"), "the factor that reads: it takes the input down to r numbers", "r × in"],
  B: [mi("B"), "the factor that writes: it takes r numbers up to the output", "out × r"],
  r: [mi("r"), "rank: how many independent directions the update may use", "a whole number"],
  s: [mi("s"), "scale of the update; here alpha / reference rank, which does not change while training", "a number"],
  alpha: [mi("α"), "alpha: sets how strongly the update counts", "a number"],
  ref: [sub("r", "ref"), "reference rank: the average rank a matrix ends with, which sets the budget", "a whole number"],
  in: [mi("in"), "how many numbers go into the matrix", "a whole number"],
  out: [mi("out"), "how many numbers come out of it", "a whole number"],
  sigma: [mi("σ"), "a singular value: how much one rank-1 piece weighs; the largest comes first", "a number, never negative"],
  k: [mi("k"), "how many pieces are kept", "a whole number"],
  u: [mi("u"), "the column of one piece: what it writes", "out"],
  v: [mi("v"), "the row of one piece: what it reads; T lays the column on its side", "in"],
  L: [mi("L"), "the lower triangle of the transformation matrix: it grows by block rows", "r × r"],
  U: [mi("U"), "the upper triangle of the transformation matrix: it grows by block columns", "r × r"],
  m: [mi("m"), "how many blocks the matrix has grown so far, the first one included", "a whole number"],
  g: [mi("g"), "add_r: ranks that a matrix gains when it grows", "a whole number"],
  I: [mi("I"), "importance: how much the normalised norm has risen since the last event", "a number, may be negative"],
  prev: [sub("N", "before"), "the normalised norm of L + U at the last event", "a number"],
  p: [mi("p"), "progress: how far growth has come between the end of the warm-up and the end of training", "from 0 to 1"],
  gap: [mi("gap"), "ranks still missing to the budget: target less total rank", "a whole number"],
  n: [mi("n"), "how many matrices are adapted", "a whole number"],
  t: [mi("t"), "the optimizer step, counted from 0", "a whole number"],
  T: [mi("T"), "steps of the whole training", "a whole number"],
  warmup: [sub("t", "warm"), "warm-up: no event up to and including this step", "steps"],
  interval: [mi("interval"), "steps between two events", "steps"],
  top: [sub("top", "h"), "matrices an event under the fixed mode", "a whole number"],
  tau: [mi("τ"), "the threshold: the score that has to be reached to grow", "a number"],
  E: [mi("E"), "the weights of AdaLoRA's triplets; one of them at 0 is a rank taken away", "r"],
  b: [sub("b", "t"), "how much total rank AdaLoRA allows at step t", "a whole number"],
};

// A symbol in a formula, with its explanation on hover or tap.
export function symbol(name) {
  const [written] = SYMBOLS[name];
  return `<mrow class="ln-sym" data-sym="${name}">${written}</mrow>`;
}

export function symbolWords(name) {
  const [, meaning, shape] = SYMBOLS[name];
  return {meaning, shape};
}
