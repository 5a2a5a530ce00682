// Lesson 2: LoRA trains two thin factors beside a frozen matrix.
import {RankGrid} from "../rank_grid.js";
import {Picture, n} from "../draw_svg.js";
import {element} from "../../board/theme.js";
import {Formula, fenced, frac, line, number, op, row, sym, words} from "../formula.js";

const MODELS = {
  here: {label: "the small network here", in: 64, out: 64, blocks: 2, wide: 2},
  base: {label: "BERT base", in: 768, out: 768, blocks: 12, wide: 4},
  large: {label: "a 7-billion model", in: 4096, out: 4096, blocks: 32, wide: 4},
};
const PLACES = ["q", "k", "v", "o", "up", "down"];
// What the places are called in the code of such models.
const NAMES = {
  here: PLACES, large: ["q_proj", "k_proj", "v_proj", "o_proj", "up_proj", "down_proj"],
  base: ["query", "key", "value", "attention.output.dense", "intermediate.dense", "output.dense"],
};

export function build(stage) {
  const state = {open: false, model: "base", r: 8, alpha: 8, places: new Set(["q", "v"])};
  const model = () => MODELS[state.model];
  const diagram = new Picture((width, theme) => drawn(width, theme, state, model()), {testid: "lora-diagram"});
  const [counted, update] = [new Formula(), new Formula()];
  const rank = stage.slider("rank, r", {min: 1, max: 64, value: state.r, name: "lora-r", help: "How many directions the update may use"}, (r) => { state.r = r; });
  const alpha = stage.slider("alpha", {min: 1, max: 64, value: state.alpha, name: "lora-alpha", help: "How strongly the update counts"}, (value) => { state.alpha = value; });
  const pick = stage.choice("Model", Object.entries(MODELS).map(([key, {label}]) => [key, label]), state.model, (key) => { state.model = key; });
  const beat = stage.beat("Two thin matrices beside a frozen one", `
    Training goes in **steps**. How wrong the network is, is a number, the **loss**. In each step every number that is free moves a little, in the direction that lowers the loss; how much the loss
    would change with it is called its **gradient**.

    If the change comes out low rank anyway, why train all of it? **LoRA** ([Hu et al. 2021](https://arxiv.org/abs/2106.09685)) leaves $W$ as it is, *frozen*, and
    trains the change as a product of two thin matrices: $A$ reads the input down to $r$ numbers, $B$ writes these $r$ numbers up to the output.
    The product $B$ $A$ has the shape of $W$ and a rank of at most $r$.

    Together the two are called an **adapter**. A factor $alpha$ / $r$ in front sets how strongly it counts.

    At the start $B$ is all zeros, so the product is zero and the network computes what it did before. $A$ is not, so that the gradient of $B$ is not zero and it moves in the first step.`,
  pick.node, diagram, rank.node, alpha.node, update, counted);
  beat.add(stage.ask({
    id: "count",
    question: "A square matrix of BERT base, a well-known language model, has 768 × 768 = 589,824 numbers. How many does LoRA of rank 8 train in its place?",
    options: [[64, "64"], [6144, "6,144"], [12288, "12,288"], [294912, "294,912"]],
    truth: () => 8 * (768 + 768),
    reveal: () => {
      [state.model, state.r, state.open] = ["base", 8, true];
      pick.press("base");
      rank.set(8);
      return "r (in + out) = 8 × (768 + 768) = 12,288, which is 2.1 %. A matrix twice as wide and high has four times as many numbers, and its adapter only twice.";
    },
  }));
  places(stage, state, model, counted, update);
}

function places(stage, state, model, counted, update) {
  const matrices = () => Array.from({length: 2}, (_, layer) => PLACES.map((module) => ({layer, module, shape: [1, 1], planted: null}))).flat();
  const map = new RankGrid(() => ({
    matrices: matrices(), title: "the first two blocks; press a matrix to adapt its column, or not", text: (i) => (state.places.has(PLACES[i % 6]) ? state.r : "0"), share: (i) => (state.places.has(PLACES[i % 6]) ? 0.6 : 0.05),
    picked: (i) => state.places.has(PLACES[i % 6]), tip: (i) => (state.places.has(PLACES[i % 6]) ? `adapted, rank ${state.r}` : "frozen, not adapted"),
  }), {
    testid: "lora-places",
    pick: (i) => {
      const place = PLACES[i % 6];
      if (!state.places.delete(place)) state.places.add(place);
      stage.draw();
    },
  });
  const total = new Formula();
  const code = element("code", {className: "ln-code", dataset: {testid: "lora-code"}});
  stage.beat("Where it sits", `
    A transformer is a pile of blocks. Each holds the same six kinds of matrix: *q*, *k*, *v* and *o* belong to attention, which lets words look at
    each other; *up* and *down*, which are wider on one side, work on each word by itself. An adapter can sit on any of them. Those that have one are called **target matrices**.

    The map is how this app draws a model everywhere: a row is a block, the first at the bottom, a column is a place in the block. The number is the
    rank. With LoRA every target gets the *same* rank. Is that clever? That is the next lesson.

    In code this is a line of [PEFT](https://github.com/huggingface/peft), the library that most people use; below it follows your choices. [Your work](own) does it for a model of yours.`, map, code, total);
  stage.redraw = () => {
    const {in: inside, out: outside, blocks, wide} = model();
    const [one, full] = [state.r * (inside + outside), inside * outside];
    update.draw(line(row(sym("h"), op("="), sym("W"), sym("x"), op("+"), frac(sym("alpha"), sym("r")), sym("B"), sym("A"), sym("x")), words("    here "), row(frac(number(state.alpha), number(state.r)), op("="), number(state.alpha / state.r, "lora-scale"))));
    if (!state.open) counted.draw(line(words("How many numbers that are: shown after your guess.")));
    else counted.draw(row(sym("r"), fenced(sym("in"), op("+"), sym("out")), op("="), number(state.r), fenced(number(inside), op("+"), number(outside)), op("="), number(one, "lora-one")),
      line(words("instead of "), number(full), words(": "), number((100 * one) / full, "lora-share", 3), words(" %")));
    const shapes = {up: [inside, wide * outside], down: [wide * inside, outside]};
    const sum = [...state.places].reduce((all, place) => all + state.r * ((shapes[place] || [inside, outside])[0] + (shapes[place] || [inside, outside])[1]), 0);
    code.textContent = `LoraConfig(r=${state.r}, lora_alpha=${state.alpha}, target_modules=[${NAMES[state.model].filter((_, i) => state.places.has(PLACES[i])).map((name) => `"${name}"`).join(", ")}])${state.model === "base" && state.places.has("down") && !state.places.has("o") ? "  # which names o, too" : ""}`;
    total.draw(line(words(`in all ${blocks} blocks: `), number(blocks * sum, "lora-total"), words(" trained numbers")));
  };
}

function drawn(width, theme, state, {in: inside, out: outside}) {
  const height = 214;
  const scale = Math.min(width, 560) / 560;
  const thin = Math.max(4, (110 * state.r) / Math.max(64, inside / 8));
  const at = (x) => n(20 + x * scale);
  const box = (x, y, w, h, fill, name, note) => `<rect x="${at(x)}" y="${y}" width="${n(w * scale)}" height="${h}" rx="3" fill="${fill}" stroke="${theme.grey}"/>`
    + `<text x="${n(at(x) + (w * scale) / 2)}" y="${y + h / 2 + 5}" text-anchor="middle" class="big">${name}</text><text x="${n(at(x) + (w * scale) / 2)}" y="${y + h + 14}" text-anchor="middle" class="tick">${note}</text>`;
  const wide = Math.min(thin, 100);
  const deep = Math.max(8, Math.min(34, wide / 2));
  const line = (d) => `<path d="${d}" fill="none" stroke="${theme.grey}" stroke-width="1.5"/>`;
  return {
    height,
    label: `The input goes through the frozen W and beside it through A, ${state.r} by ${inside}, and B, ${outside} by ${state.r}; both are added`,
    body: line(`M${at(0)} 60H${at(180)}M${at(290)} 60H${at(470)}M${at(30)} 60V${164}H${at(110)}M${n(at(110) + 110 * scale)} 164H${at(300)}M${n(at(300) + Math.max(10, wide * 0.6) * scale)} 164H${at(430)}V66`)
      + box(180, 8, 110, 104, theme.faint, "W", `${outside} × ${inside}, frozen`)
      + box(110, 164 - deep / 2, 110, deep, theme.dark ? "#1d4a66" : "#cfe5f3", "A", `${state.r} × ${inside}`)
      + box(300, 144, Math.max(10, wide * 0.6), 40, theme.dark ? "#1d4a66" : "#cfe5f3", "B", `${outside} × ${state.r}`)
      + `<circle cx="${at(430)}" cy="60" r="9" fill="${theme.background}" stroke="${theme.grey}"/><text x="${at(430)}" y="65" text-anchor="middle">+</text>`
      + `<text x="${at(-12)}" y="65" text-anchor="middle" class="big">x</text><text x="${at(486)}" y="65" class="big">h</text>`,
  };
}
