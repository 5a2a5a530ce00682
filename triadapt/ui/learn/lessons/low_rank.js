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
    A **matrix** is a table of numbers. Here is one, ${size} rows by ${size} columns, drawn as a picture: a large number is bright, a small one dark.

    The simplest matrix is *one column times one row*: every row of the picture is the same row, only brighter or darker. Call that a
    **piece**. Every matrix is a sum of pieces, and there is a best way to choose them: the first piece catches as much of the picture as one
    piece can, the second as much as one can of what is left, and so on. How much piece *i* weighs is called its [[singular value]], $sigma$.

    The **rank** of a matrix is how many pieces it takes to make it. *Low rank* means: few. How much of a matrix is there is counted by the squares of its numbers.`,
  pick.node, element("div", {className: "ln-pair"}, original.node, copy.node), slider.node, formula, bars);
  const needed = Object.fromEntries(choices.map((one) => [one.name, piecesFor(one.parts.sigma, SHARE)]));
  const target = choices[0];
  beat.add(stage.ask({
    id: "picture",
    question: `Before you touch the slider: how many of its 48 pieces does the first picture, *${target.title}*, need until 99 % of it is there?`,
    options: [[2, "2"], [4, "4"], [12, "12"], [30, "30"]].some(([value]) => value === needed[target.name]) ? [[2, "2"], [4, "4"], [12, "12"], [30, "30"]]
      : [[needed[target.name], String(needed[target.name])], [12, "12"], [30, "30"], [48, "48"]],
    truth: () => needed[target.name],
    reveal: () => {
      state.open = true;
      state.k = needed[target.name];
      slider.set(state.k);
      return `${needed[target.name]}. For *${choices[1].title}* it takes ${needed[choices[1].name]}, for *${choices[2].title}* ${needed[choices[2].name]}: where neighbours have something in common, few pieces do; noise has nothing in common.`;
    },
  }));
  stage.beat("", `
    Keeping k pieces costs k columns and k rows instead of the whole table. Choose *noise* and see that nothing can be saved there: what has no
    pattern has full rank.`);
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
    values: state.open && state.parts ? state.parts.planted.sigma.slice(0, 24) : [], height: 170, xTitle: "the first 24 of 64 pieces",
    yTitle: state.open ? "singular values of the change" : "singular values: shown after your guess", colour: (i) => (i < state.k ? primary : grey),
    tip: (i) => `piece ${i + 1}: ${state.parts.planted.sigma[i].toFixed(3)}`,
  }), {testid: "change-spectrum"});
  const slider = stage.slider("pieces kept, k", {min: 0, max: 24, value: 0, name: "change-pieces", help: "How many pieces of the change are kept"}, (k) => { state.k = k; });
  const beat = stage.beat("What training changes is low rank", `
    A neural network is made of such tables: each takes a list of numbers $x$ and makes another, $h$ = $W$ $x$. To teach a trained network something
    new is to change its tables: $W$ becomes $W$ + $dW$.

    This is a $dW$ of a real run. A small network was trained on a new task with *every* number free (full fine-tuning). On the right is what
    changed in one matrix of 8,192 numbers.`,
  element("div", {className: "ln-pair ln-tall"}, whole.node, copy.node), slider.node, formula, bars);
  const ask = stage.ask({
    id: "change",
    question: "All 8,192 numbers were free to move. How many pieces does their change need until 99 % of it is there?",
    options: [[8, "8"], [24, "24"], [48, "48"], [64, "all 64"]],
    truth: () => (state.parts ? piecesFor(state.parts.planted.sigma, SHARE) : null),
    reveal: (_, right) => {
      state.open = true;
      state.k = right;
      slider.set(right);
      const after = state.parts.planted.sigma[right] / state.parts.planted.sigma[right - 1];
      return `${right} pieces. Piece ${right + 1} weighs ${(100 * after).toFixed(0)} % of piece ${right}: the change lives in ${right} directions. And in a matrix that the new task did not need, training changed almost nothing: its largest singular value is ${state.parts.other.sigma[0].toFixed(3)}, here it is ${state.parts.planted.sigma[0].toFixed(2)}.`;
    },
  });
  beat.add(ask);
  stage.beat("", `
    Two facts to keep. **Changes are low rank**: a few directions are enough. **They are not everywhere**: some matrices need a change, others none.
    The first is why LoRA works, which is the next lesson. The second is what this app is about.

    This task was made so that the answer is known: a teacher network differs from ours by a change of rank 8 in three of its twelve matrices. On
    real tasks nobody planted anything, but the same has been seen again and again since
    [Aghajanyan et al. 2020](https://arxiv.org/abs/2012.13255).`);
  stage.onData((data) => {
    if (state.parts || !data.change) return;
    state.change = data.change;
    state.parts = Object.fromEntries(["planted", "other"].map((key) => {
      const {columns, values} = data.change[key];
      const rows = Array.from({length: values.length / columns}, (_, i) => values.subarray(i * columns, (i + 1) * columns));
      return [key, {...svd(rows), rows}];
    }));
    ask.settle();
  });
  stage.redraw = chain(stage.redraw, () => {
    if (!state.parts) return;
    const {rows, sigma} = state.parts.planted;
    const most = rows.reduce((top, line) => line.reduce((high, value) => Math.max(high, Math.abs(value)), top), 0);
    whole.draw(rows, -most, most, `the change of ${state.change.planted.name}, ${rows.length} × ${rows[0].length}`);
    copy.draw(rebuilt(state.parts.planted, state.k), -most, most, `${state.k} piece${state.k === 1 ? "" : "s"}`);
    formula.draw(line(row(sym("dW"), op("≈"), sumOver(row("<mi>i</mi>", op("≤"), sym("k")), row("<msub><mi>σ</mi><mi>i</mi></msub>", "<msub><mi>u</mi><mi>i</mi></msub>", power("<msub><mi>v</mi><mi>i</mi></msub>", "<mi>T</mi>")))),
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
