// Lesson 1: a matrix as a sum of rank-1 pieces; first a picture, then what full training changed in a real matrix.
import {Bars} from "../bars.js";
import {element} from "../../board/theme.js";
import {Formula, fenced, line, number, op, power, row, sumOver, sym, words} from "../formula.js";
import {energy, piecesFor, rebuilt, svd} from "../maths/svd.js";
import {PICTURES} from "../pictures.js";
import {Raster} from "../raster.js";

const SHARE = 0.99;

export function build(stage) {
  drawing(stage);
  change(stage);
}

function drawing(stage) {
  const choices = Object.entries(PICTURES).map(([name, {title, rows}]) => ({name, title, rows: rows(), parts: null}));
  for (const one of choices) one.parts = svd(one.rows);
  const state = {one: choices[0], k: 1, open: false};
  const [original, copy] = [new Raster("The picture"), new Raster("The picture rebuilt from its first pieces")];
  const formula = new Formula();
  const bars = new Bars(({primary, grey}) => ({
    values: state.open ? state.one.parts.sigma : [], yTitle: state.open ? "singular values" : "singular values: shown after your guess", height: 150,
    colour: (i) => (i < state.k ? primary : grey), tip: (i) => `piece ${i + 1}: ${state.one.parts.sigma[i].toFixed(2)}`,
  }), {testid: "picture-spectrum"});
  const slider = stage.slider("pieces kept, k", {min: 0, max: 48, value: 1, name: "pieces", help: "How many rank-1 pieces the copy is made of"}, (k) => { state.k = k; });
  const pick = stage.choice("Picture", choices.map(({name, title}) => [name, title]), state.one.name, (name) => { state.one = choices.find((one) => one.name === name); });
  const {rows: size} = {rows: state.one.rows.length};
  const beat = stage.beat("A table of numbers, taken apart", `
    A **matrix** is a table of numbers. Here is one, ${size} rows by ${size} columns, drawn as a picture: white is a large number, black a large one below 0, grey is 0.

    The simplest matrix is *one column times one row*: every row of the picture is the same row, only stronger or weaker. Call that a
    **piece** (others say *direction*). Every matrix is a sum of pieces, and there is a best way to choose them: the first piece catches as much of the picture as one
    piece can, the second as much as one can of what is left, and so on. How much a piece weighs is called its **singular value**, $sigma$.

    The **rank** of a matrix is how many pieces it takes to make it. *Low rank* means: few.

    How much of a matrix is there is counted by the squares of its numbers.`,
  pick.node, element("div", {className: "ln-pair"}, original.node, copy.node), slider.node, formula, bars);
  const needed = Object.fromEntries(choices.map((one) => [one.name, piecesFor(one.parts.sigma, SHARE)]));
  const target = choices[0];
  beat.add(stage.ask({
    id: "picture",
    question: `Without the slider: how many of its 48 pieces does the first picture, *${target.title}*, need until 99 % of it is there?`,
    options: [[2, "2"], [4, "4"], [12, "12"], [30, "30"]].some(([value]) => value === needed[target.name]) ? [[2, "2"], [4, "4"], [12, "12"], [30, "30"]]
      : [[needed[target.name], String(needed[target.name])], [12, "12"], [30, "30"], [48, "48"]],
    truth: () => needed[target.name],
    reveal: () => {
      state.open = true;
      state.k = needed[target.name];
      slider.set(state.k);
      return `${needed[target.name]}. For *${choices[1].title}* it takes ${needed[choices[1].name]}, for *${choices[2].title}* ${needed[choices[2].name]}: where rows resemble one another, few pieces do; those of noise do not.`;
    },
  }));
  stage.beat("", `
    Keeping $k$ pieces costs $k$ columns and $k$ rows instead of the whole table. Choose *noise*: to keep nearly all of it takes nearly all pieces, and
    more numbers than the table itself has.`);
  stage.redraw = chain(stage.redraw, () => {
    const {rows, parts} = state.one;
    const flat = rows.flatMap((line) => Array.from(line));
    const [low, high] = [Math.min(...flat), Math.max(...flat)];
    original.draw(rows, low, high, "the picture");
    copy.draw(rebuilt(parts, state.k), low, high, `${state.k} piece${state.k === 1 ? "" : "s"}`);
    copy.node.dataset.energy = energy(parts.sigma)[state.k];
    formula.draw(
      line(words("kept: "), number(100 * energy(parts.sigma)[state.k], "energy", 3), words(" % of the picture, from "), row(sym("k"), op("·"), fenced(number(rows.length), op("+"), number(rows[0].length)), op("="),
        number(state.k * (rows.length + rows[0].length), "stored")), words(" numbers instead of "), number(rows.length * rows[0].length)),
    );
  });
}

function change(stage) {
  const state = {k: 0, parts: null, open: false};
  const [whole, copy] = [new Raster("What training changed in one matrix", {signed: true}), new Raster("The same from its first pieces", {signed: true})];
  const formula = new Formula();
  const bars = new Bars(({primary, grey}) => ({
    values: state.open && state.parts ? state.parts.sigma.slice(0, 24) : [], height: 170, xTitle: "the first 24 of 64 pieces",
    yTitle: state.open ? "singular values of the change" : "singular values: shown after your guess", colour: (i) => (i < state.k ? primary : grey),
    tip: (i) => `piece ${i + 1}: ${state.parts.sigma[i].toFixed(3)}`,
  }), {testid: "change-spectrum"});
  const slider = stage.slider("pieces kept, k", {min: 0, max: 24, value: 0, name: "change-pieces", help: "How many pieces of the change are kept"}, (k) => { state.k = k; });
  const beat = stage.beat("What training changes", `
    A neural network is made of such tables: each takes a list of numbers $x$ and makes another, $h$ = $W$ $x$. To teach a trained network something
    new is to change its tables: $W$ becomes $W$ + $dW$.

    This is a $dW$ of a real run. A small network was trained on a new task with *every* number free (full fine-tuning). The picture is what
    changed in one matrix of 128 × 64 numbers: yellow went up, blue went down.`,
  element("div", {className: "ln-pair ln-tall"}, whole.node, copy.node), slider.node, formula, bars);
  const ask = stage.ask({
    id: "change",
    question: "All 8,192 numbers were free to move. How many pieces does their change need until 99 % of it is there?",
    options: [[8, "8"], [24, "24"], [48, "48"], [64, "all 64"]],
    truth: () => (state.parts ? piecesFor(state.parts.sigma, SHARE) : null),
    reveal: (_, right) => {
      state.open = true;
      state.k = right;
      slider.set(right);
      after.hidden = false;
      const drop = state.parts.sigma[right] / state.parts.sigma[right - 1];
      return `${right} pieces. Piece ${right + 1} weighs ${(100 * drop).toFixed(0)} % of piece ${right}: the change of a whole matrix is made of ${right} pieces.`;
    },
  });
  beat.add(ask);
  const norms = new Bars(({primary}) => ({
    values: state.change ? [...state.change.norms].sort((a, b) => b - a) : [], height: 160, xTitle: "the twelve matrices", yTitle: "how much each matrix of the network changed", colour: () => primary,
    tip: (i) => [...state.change.norms].sort((a, b) => b - a)[i].toFixed(3),
  }), {testid: "change-norms"});
  const {section: after} = stage.beat("And not everywhere", `
    Two facts to keep. The change is of **low rank**: a few pieces are enough. And it is **not everywhere**: here three of the twelve matrices changed, the others hardly.
    The first is why LoRA works, which is the next lesson. The second is what this app is about.

    This task was made to have such an answer: somebody hid eight pieces in each of three matrices (lesson 3). Where two matrices work as a pair, the change may spread over both; on real tasks nobody knows.
    [Aghajanyan et al. 2020](https://arxiv.org/abs/2012.13255) found that fine-tuning a large model takes surprisingly few free numbers; that the change of each matrix is of low rank is an
    assumption. It holds well on many tasks, and not on all.`, norms);
  after.hidden = true;
  stage.onData((data) => {
    if (state.parts || !data.change) return;
    state.change = data.change;
    const {columns, values} = data.change;
    const rows = Array.from({length: values.length / columns}, (_, i) => values.subarray(i * columns, (i + 1) * columns));
    state.parts = {...svd(rows), rows};
    ask.settle();
  });
  stage.redraw = chain(stage.redraw, () => {
    if (!state.parts) return;
    const {rows, sigma} = state.parts;
    const most = rows.reduce((top, line) => line.reduce((high, value) => Math.max(high, Math.abs(value)), top), 0);
    whole.draw(rows, -most, most, `what changed, ${rows.length} × ${rows[0].length}`);
    copy.draw(rebuilt(state.parts, state.k), -most, most, `${state.k} piece${state.k === 1 ? "" : "s"}`);
    formula.draw(line(row(sym("dW"), op("≈"), sumOver(row(sym("k"), words(" pieces")), row(sym("sigma"), sym("u"), power(sym("v"), "<mi>T</mi>")))),
      words("  keeps "), number(100 * energy(sigma)[state.k], "change-energy", 4), words(" % with "), number(state.k * (rows.length + rows[0].length), "change-stored"), words(" numbers")));
  });
}

// Both, one after the other.
function chain(first, second) {
  return (theme) => {
    if (first) first(theme);
    second(theme);
  };
}
