// Lesson 4: L and U grow block by block; parameters are counted; the function stays the same at growth, or does not.
import {element} from "../../board/theme.js";
import {Picture, escape, n} from "../draw_svg.js";
import {Formula, fenced, line, number, op, row, sumOver, sym, words} from "../formula.js";
import {blockOf, coreOf, drawer, grown, inLower, outputOf, parameterCount} from "../maths/triangular.js";

const [INSIDE, OUTSIDE, MOST] = [6, 6, 6];
const COLOURS = ["#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#999999", "#F0E442"];

// A trained adapter of rank 1, as it might stand when growth begins. Small enough to be read.
function start() {
  const draw = drawer(11);
  return {A: [[0.5, -0.2, 0.8, 0.1, -0.6, 0.3]], B: [[0.4], [-0.7], [0.2], [0.9], [-0.3], [0.5]], L: [[1.1]], U: [[0.3]], blocks: [1], scale: 1, W: Array.from({length: OUTSIDE}, () => Array.from({length: INSIDE}, draw)), x: [1, 0.5, -1, 2, 0.3, -0.4]};
}

export function build(stage) {
  const state = {adapter: start(), gain: 1, init: "identity", history: []};
  stage.adapter = state; // for the test that recomputes what is shown
  const cores = new Picture((width, theme) => drawCores(width, theme, state), {testid: "cores"});
  const [counted, function_] = [new Formula(), new Formula()];
  const jump = element("p", {className: "ln-said", role: "status"});
  const gain = stage.slider("add_r, ranks per growth", {min: 1, max: 3, value: 1, name: "gain", help: "How many ranks the next block adds"}, (value) => { state.gain = value; });
  const init = stage.choice("New numbers begin", [["identity", "harmless (this app)"], ["gaussian", "drawn (as published)"]], state.init, (value) => { state.init = value; });
  const grow = stage.button("Grow by one block", "Add a block to the matrix", () => step());
  const reset = () => stage.button("Back to rank 1", "Start over with the first block", () => Object.assign(state, {adapter: start(), history: [], full: false}), "ln-quiet");
  const again = reset();
  const step = (way = state.init) => {
    const {adapter} = state;
    state.init = way;
    init.press(way);
    state.full = adapter.A.length + state.gain > MOST;
    if (state.full) return;
    const before = outputOf(adapter.W, adapter, adapter.x);
    state.adapter = grown(adapter, state.gain, state.init, drawer(100 + adapter.A.length));
    const after = outputOf(state.adapter.W, state.adapter, adapter.x);
    state.history = [...state.history, {init: state.init, gain: state.gain, before, after, away: Math.max(...after.map((value, i) => Math.abs(value - before[i])))}];
  };
  const first = stage.beat("A matrix between the factors", `
    TriAdaptLoRA ([arXiv 2501.08008](https://arxiv.org/abs/2501.08008)) puts one more matrix between LoRA's two factors: the **transformation matrix**, $r$ by $r$, which mixes
    the $r$ numbers on their way from $A$ to $B$. It is written as a sum of two triangles, $L$ + $U$.

    Triangles grow outward. When a matrix gains $g$ ranks, $A$ gets $g$ more rows and $B$ as many columns, $L$ gets a new **block** row at the
    bottom, $U$ a new block column at the right. What was there keeps its place. The block where row and column meet stands in both, as published.

    The split brings no new rank: $B$ ($L$ + $U$) $A$ has at most the rank of $B$ $A$. What it brings is a small table beside the large factors, made of what new ranks take from old ones ($L$) and old ones from new ($U$). The
    method reads from the size of this table how much a matrix has learned: the next lesson.

    Here is a matrix of 6 inputs and 6 outputs. Press *Grow*. Each colour is one block, in the order of their arrival; $m$ counts them.`,
  init.node, gain.node, element("div", {className: "ln-buttons"}, grow, again), cores, counted);
  first.add(stage.ask({
    id: "count",
    question: "A matrix of 64 inputs and 64 outputs has rank 3, grown in three blocks of 1. It grows by one more. How many trained numbers does that add?",
    options: [[128, "128"], [136, "136"], [129, "129"], [512, "512"]],
    truth: () => parameterCount([1, 1, 1, 1], 64, 64) - parameterCount([1, 1, 1], 64, 64),
    reveal: () => "128 for the new row of A and column of B, and 2 × 4 for the new row of L and column of U: 136. The triangles cost little as long as r is small against the size of the matrix.",
  }));
  const second = stage.beat("Does the network notice?", `
    In the middle of training, a matrix grows. What does the network compute in the next instant?

    That depends on the new numbers. If the new columns of $B$ are 0, nothing new reaches the output, whatever stands in $A$, $L$ and $U$. If all are drawn at random, as the authors'
    code does, $dW$ changes at once by something nobody has learned.

    This is the output of the same matrix for one input $x$. Grow it both ways and compare; the picture above grows along. ($s$ is the scale, like alpha / $r$ in lesson 2.)`,
  element("div", {className: "ln-buttons"}, stage.button("Grow, harmless", "Add a block whose columns of B are 0", () => step("identity")), stage.button("Grow, drawn at random", "Add a block of random numbers", () => step("gaussian"), "ln-quiet"), reset()), function_, jump);
  second.add(stage.ask({
    id: "jump",
    question: "The harmless start sets the new columns of B to 0. Then the new ranks do nothing. Can they ever learn?",
    options: [["no", "no, zero stays zero"], ["yes", "yes, B gets a gradient at once"]],
    truth: () => "yes",
    reveal: () => "The gradient of B is made of what arrives from (L + U) A x. The new diagonal block of L is the identity and the new rows of A are drawn, so something arrives. Had L + U been 0 there as well, nothing would, ever: [one of the presets](learn?lesson=wrong-start) shows that.",
  }));
  stage.beat("", `
    One more thing changes at growth in the authors' code: the scale is alpha / $r$ with the *current* rank, so that each growth also shrinks what was learned. Here it is
    alpha / $ref$, which stays. $ref$ is the **reference rank**, the average rank that a matrix is to end with; times the number of matrices it is the budget. See [the loss jump](learn?lesson=wrong-scale).`);

  stage.redraw = () => {
    const {adapter, history} = state;
    grow.disabled = adapter.A.length + state.gain > MOST;
    const rank = adapter.A.length;
    const core = adapter.blocks.reduce(({end, parts}, size) => ({end: end + size, parts: [...parts, [size, end + size]]}), {end: 0, parts: []}).parts;
    counted.draw(
      line(row(sym("m"), op("="), number(adapter.blocks.length, "m")), words("   trained numbers: "), row(sym("r"), fenced(sym("in"), op("+"), sym("out")), op("+"), number(2), sumOver(words("blocks"), row(words("size × rank with it"))))),
      line(row(op("="), number(rank), fenced(number(INSIDE), op("+"), number(OUTSIDE)), op("+"), number(2), fenced(...core.flatMap(([size, end], i) => [...(i ? [op("+")] : []), number(size), op("×"), number(end)])), op("="),
        number(parameterCount(adapter.blocks, INSIDE, OUTSIDE), "parameters")), words(" trained numbers")),
    );
    const now = outputOf(adapter.W, adapter, adapter.x);
    const last = history[history.length - 1];
    const vector = (values, name) => fenced(...values.flatMap((value, i) => [...(i ? [op(",")] : []), number(value, name ? `${name}-${i}` : "", 4)]));
    function_.draw(
      row(sym("h"), op("="), fenced(sym("W"), op("+"), sym("s"), sym("B"), fenced(sym("L"), op("+"), sym("U")), sym("A")), sym("x")),
      ...(last ? [line(words("before it grew  "), vector(last.before, "before"))] : []),
      line(words(last ? "after  " : "now  "), vector(now, "after")),
    );
    jump.dataset.away = last ? String(last.away) : "";
    jump.textContent = state.full ? `A matrix of 6 × 6 has no more than rank ${MOST}. Go back to rank 1. What stands above is the last growth.` : !last ? "" : last.away === 0 ? "Exactly the same output. The network did not notice." : `The output moved by up to ${last.away.toFixed(3)}, at random, in one instant.`;
  };
}

function drawCores(width, theme, {adapter}) {
  const {L, U, blocks} = adapter;
  const rank = L.length;
  const room = Math.min(width, 640);
  const cell = Math.min(34, (room - 80) / (3 * rank));
  const side = cell * rank;
  const [top, gap] = [30, 40];
  const core = coreOf(adapter);
  const table = (left, name, values, counts) => {
    const cells = values.flatMap((line, i) => line.map((value, j) => {
      const inside = counts(i, j);
      const colour = COLOURS[blockOf(blocks, i, j) % COLOURS.length];
      const [x, y] = [n(left + j * cell), n(top + i * cell)];
      const text = cell >= 24 && inside ? `<text x="${n(x + cell / 2)}" y="${n(y + cell / 2 + 4)}" text-anchor="middle" class="cell" fill="${theme.text}">${escape(Number(value.toFixed(2)))}</text>` : "";
      return `<g data-tip="${escape(`${name}, row ${i + 1}, column ${j + 1}: ${inside ? `${value}, block ${blockOf(blocks, i, j) + 1}` : "always 0"}`)}"><rect x="${x}" y="${y}" width="${n(cell - 1)}" height="${n(cell - 1)}" fill="${inside ? colour : "none"}" fill-opacity=".38" stroke="${inside ? colour : theme.grid}"/>${text}</g>`;
    }));
    return `<text x="${n(left + side / 2)}" y="${top - 10}" text-anchor="middle" class="big">${name}</text>${cells.join("")}`;
  };
  const [a, b, c] = [10, 10 + side + gap, 10 + 2 * (side + gap)];
  const sign = (x, text) => `<text x="${n(x)}" y="${n(top + side / 2 + 6)}" text-anchor="middle" class="big">${text}</text>`;
  return {
    height: top + side + 12,
    label: `L, U and L + U of rank ${rank}, grown in ${blocks.length} blocks of ${blocks.join(", ")}`,
    body: table(a, "L", L, (i, j) => inLower(blocks, i, j)) + sign(a + side + gap / 2, "+") + table(b, "U", U, (i, j) => inLower(blocks, j, i)) + sign(b + side + gap / 2, "=") + table(c, "L + U", core, () => true),
  };
}
