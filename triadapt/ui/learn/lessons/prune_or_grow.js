// Lesson 7: AdaLoRA comes down to the budget, TriAdaptLoRA and IncreLoRA climb up to it, by different scores.
import {LineChart} from "../line_chart.js";
import {RacePanel} from "../race.js";
import {RankGrid, rankCells} from "../rank_grid.js";
import {element} from "../../board/theme.js";
import {Formula, line, number, words} from "../formula.js";

export function build(stage) {
  const state = {runs: [], step: null};
  const at = () => (state.step === null ? Infinity : state.step);
  stage.beat("From above, from below", `
    **AdaLoRA** ([arXiv 2303.10512](https://arxiv.org/abs/2303.10512)) goes the other way round. Its update is a sum of **triplets**: one column of $B$, one number of $E$, one row of $A$ each, a piece as in lesson 1.
    It starts with *more* rank than the budget. At every event it sets the numbers of the weakest triplets to 0, down to a total $b$ that falls in a curve, fast at first, to the budget. It **prunes**. A triplet at 0 goes on
    training and may come back as long as pruning goes on.

    Which are the weakest? Those with the least **sensitivity**: a number times its gradient says about how much the loss would change without it. It is averaged over many steps, which costs a little at every step.

    **IncreLoRA** ([arXiv 2308.12043](https://arxiv.org/abs/2308.12043)) grows like TriAdaptLoRA, and scores like AdaLoRA: it adds up the sensitivity of a whole matrix. At each event the \`top_h\` highest matrices gain a triplet. Every matrix trains one
    more in **reserve**, so that what is added has already learned a little.

    Pruning sees all candidates at work before it decides, and has to train them all. Growing trains fewer, and has to guess who will need more. AdaLoRA and IncreLoRA also add a penalty to the loss that keeps triplets from
    becoming alike.`);
  const panel = new RacePanel(stage, {
    shown: (runs) => {
      state.runs = runs.filter((run) => run.started);
      if (state.runs.length) slider.set(state.step ?? (state.runs[0].whole ? state.runs[0].end : Math.max(0, state.runs[0].last)), {max: state.runs[0].end});
      for (const ask of [loss, share]) ask.settle();
    },
  });
  const slider = stage.slider("step", {min: 0, max: 300, value: 300, name: "race-step", help: "The moment that the maps show"}, (step) => { state.step = step; });
  const play = stage.button("Play", "Run through the steps", () => start(), "ln-quiet");
  const maps = [0, 1, 2].map((i) => new RankGrid(() => rankCells(state.runs[i], {step: at()}), {testid: `meet-${i}`}));
  const totals = new LineChart(() => state.runs.map((run) => run.stairs(stage.learn.theme)), () => ({
    yTitle: "total rank", xHigh: state.runs[0]?.end, line: state.runs[0] && {value: state.runs[0].target, label: `budget ${state.runs[0].target}`}, mark: state.step, height: 220,
  }), {testid: "meet-totals"});
  const losses = new LineChart(() => state.runs.map((run) => run.metricLine(stage.learn.theme)), () => ({yTitle: "relative loss, held out", xHigh: state.runs[0]?.end, high: 1, mark: state.step, height: 200}), {testid: "meet-loss"});
  const formula = new Formula();
  const beat = stage.beat("They meet at the same budget", `
    All three end with 24 ranks in the twelve matrices of lesson 3. Choose what you expect, then let them run.`, panel, totals, element("div", {className: "ln-row"}, play, slider.node), element("div", {className: "ln-maps"}, ...maps.map((map) => map.node)), losses, formula);
  for (const map of maps) stage.keep(map);
  const loss = stage.ask({
    id: "loss",
    question: "Which of the three ends with the lowest loss on held-out data?",
    options: [["AdaLoRA", "AdaLoRA, which prunes"], ["TriAdaptLoRA", "TriAdaptLoRA, which grows by the size of L + U"], ["IncreLoRA", "IncreLoRA, which grows by sensitivity"]],
    truth: () => (panel.over ? [...state.runs].sort((a, b) => a.metricAtEnd - b.metricAtEnd)[0].label : null),
    reveal: () => `${state.runs.map((run) => `${run.label} ends at ${run.metricAtEnd.toFixed(3)}`).join(", ")}. (Seed ${state.runs[0].config.seed}.) Hold them against rank 2 everywhere in lesson 3${state.runs[0].config.seed === stage.learn.spec.seed && evenEnd(stage) ? `, which ended at ${evenEnd(stage)}` : ""}: adapting does not win by itself. 300 steps are short, and shortest for a method that has to try everything first: in the recorded race on [Play](play?run=healthy-race), twice as long, AdaLoRA ends first. And one run proves little, which is why [studies](tune?tab=Studies) use many seeds.`,
  });
  const share = stage.ask({
    id: "share",
    question: "Three of the twelve matrices need rank. Spread blindly, a quarter of the ranks would be there. Whose share is highest at the end?",
    options: [["AdaLoRA", "AdaLoRA's"], ["TriAdaptLoRA", "TriAdaptLoRA's"], ["IncreLoRA", "IncreLoRA's"]],
    truth: () => {
      if (!panel.over) return null;
      return [...state.runs].sort((a, b) => b.onPlanted() - a.onPlanted())[0].label;
    },
    reveal: () => `On the three that need it (orange) stand ${state.runs.map((run) => `${Math.round(100 * run.onPlanted())} % of ${run.label}'s ranks`).join(", ")}. Where rank stands and how low the loss is need not go together: what counts as well is how early it came.`,
  });
  for (const ask of [loss, share]) {
    ask.onPicked = () => { if (!panel.kind) panel.show("recorded"); };
    beat.add(ask);
  }
  stage.beat("Which one, then?", `
    - **LoRA** when the budget is ample, or nothing is known: nothing to tune.
    - **AdaLoRA** when the run is long enough to try everything first. Its interval is called \`deltaT\` in PEFT: beyond the end of the run it never prunes.
    - **IncreLoRA** when a score at every step is affordable and growth should follow gradients.
    - **TriAdaptLoRA** when the score should cost next to nothing; mind the warm-up and the interval.

    In the one study of a real task that comes with this package (docs/studies.md), each with the best of three learning rates, the four could not be told apart. So always look whether a method *does* adapt before you believe that it helps. [Watch all four on Play](play?run=healthy-race), [see a schedule first](tune), or [ask what another schedule would have done](tune?tab=What+if).`);

  function start() {
    if (!state.runs.length) return;
    cancelAnimationFrame(state.playing);
    const begun = performance.now();
    const {end} = state.runs[0];
    if (window.matchMedia("(prefers-reduced-motion: reduce)").matches) {
      state.step = end;
      slider.set(end);
      stage.draw();
      return;
    }
    const tick = (now) => {
      state.step = Math.min(end, Math.round(((now - begun) / 5000) * end));
      slider.set(state.step);
      stage.draw();
      if (state.step < end && stage.node.isConnected) state.playing = requestAnimationFrame(tick);
    };
    state.playing = requestAnimationFrame(tick);
  }

  stage.redraw = () => {
    play.disabled = !state.runs.length;
    slider.node.toggleAttribute("data-idle", !state.runs.length);
    formula.draw(...state.runs.map((run) => line(words(`${run.label}: total rank `), number(run.totalAt(at()), `total-${run.method}`), words(` of ${run.target}`), words("  trained numbers "), number(run.parameters[run.eventsAt(at())], `parameters-${run.method}`))));
  };
}

// Where LoRA with rank 2 everywhere ended in lesson 3's recording; "" where it is not known.
function evenEnd(stage) {
  const {even_end: end} = stage.data || {};
  return end ? end.toFixed(3) : "";
}
