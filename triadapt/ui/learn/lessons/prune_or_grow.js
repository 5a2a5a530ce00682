// Lesson 7: AdaLoRA comes down to the budget, TriAdaptLoRA climbs up to it; IncreLoRA climbs by another score.
import {LineChart} from "../line_chart.js";
import {RacePanel} from "../race.js";
import {RankGrid} from "../rank_grid.js";
import {element} from "../../board/theme.js";
import {Formula, line, number, op, row, words} from "../formula.js";

export function build(stage) {
  const state = {runs: [], step: null};
  const at = () => (state.step === null ? Infinity : state.step);
  stage.beat("From above, from below", `
    **AdaLoRA** ([arXiv 2303.10512](https://arxiv.org/abs/2303.10512)) goes the other way round. Its update is a sum of **triplets**, $B$ diag($E$) $A$: one column of $B$, one number in $E$, one row of $A$
    each. It starts with *more* rank than the budget, scores every triplet by sensitivity, and sets the $E$ of the weakest to 0, again and again, while the allowed total $b$ falls to the
    budget along a cubic curve. It **prunes**.

    **TriAdaptLoRA** starts with rank 1 everywhere and **grows**. **IncreLoRA** ([arXiv 2308.12043](https://arxiv.org/abs/2308.12043)) grows as well: the \`top_h\` matrices with the highest sensitivity gain a triplet at
    each event, and every matrix trains one triplet in reserve, so that what is added has already learned a little.

    Pruning sees all candidates at work before it decides, and pays for them: more numbers to train, and AdaLoRA adds a term that keeps triplets apart. Growing never pays for what it does not use,
    but has to guess who will need more.`);
  const panel = new RacePanel(stage, {
    shown: (runs) => {
      state.runs = runs.filter((run) => run.started);
      if (state.runs.length) slider.set(state.step ?? state.runs[0].end, {max: state.runs[0].end});
      for (const ask of [loss, agree]) ask.settle();
    },
  });
  const slider = stage.slider("step", {min: 0, max: 300, value: 300, name: "race-step", help: "The moment that the maps show"}, (step) => { state.step = step; });
  const play = stage.button("Play", "Run through the steps", () => start(), "ln-quiet");
  const maps = [0, 1].map((i) => new RankGrid(() => cells(state.runs[i], at()), {testid: `meet-${i}`}));
  const totals = new LineChart(() => state.runs.map((run) => run.stairs(stage.learn.theme)), () => ({
    yTitle: "total rank", xHigh: state.runs[0]?.end, line: state.runs[0] && {value: state.runs[0].target, label: `budget ${state.runs[0].target}`}, mark: state.step, height: 220,
  }), {testid: "meet-totals"});
  const losses = new LineChart(() => state.runs.map((run) => run.metricLine(stage.learn.theme)), () => ({yTitle: "relative loss, held out", xHigh: state.runs[0]?.end, high: 1, mark: state.step, height: 200}), {testid: "meet-loss"});
  const formula = new Formula();
  const beat = stage.beat("They meet at the same budget", `
    Both end with 24 ranks in twelve matrices. Choose what you expect, then let them run.`, panel, totals, element("div", {className: "ln-row"}, play, slider.node), element("div", {className: "ln-maps"}, ...maps.map((map) => map.node)), losses, formula);
  for (const map of maps) stage.keep(map);
  const loss = stage.ask({
    id: "loss",
    question: "Which of the two ends with the lower loss on held-out data?",
    options: [["AdaLoRA", "AdaLoRA, which prunes"], ["TriAdaptLoRA", "TriAdaptLoRA, which grows"]],
    truth: () => (panel.over ? [...state.runs].sort((a, b) => a.metricAtEnd - b.metricAtEnd)[0].label : null),
    reveal: () => `${state.runs.map((run) => `${run.label} ends at ${run.metricAtEnd.toFixed(3)}`).join(", ")}. With another seed it may be the other way round: press *Train it now* with some. One run proves little, which is why the [studies](tune?tab=Studies) use many seeds.`,
  });
  const agree = stage.ask({
    id: "agree",
    question: "Of the 24 ranks that each has placed, how many stand in the same matrix in both?",
    options: [["few", "up to 12"], ["half", "13 to 18"], ["most", "19 to 24"]],
    truth: () => {
      if (!panel.over) return null;
      const both = shared(state.runs);
      return both <= 12 ? "few" : both <= 18 ? "half" : "most";
    },
    reveal: () => `${shared(state.runs)} of 24. Of ${state.runs.map((run) => `${run.label}'s ranks ${Math.round(100 * run.onPlanted())} %`).join(" and of ")} stand on the three matrices that need them (orange); spread blindly it would be 25 %.`,
  });
  for (const ask of [loss, agree]) {
    ask.onPicked = () => { if (!panel.kind) panel.show("recorded"); };
    beat.add(ask);
  }
  stage.beat("Which one, then?", `
    - **LoRA** when the budget is ample, or nothing is known: nothing to tune.
    - **AdaLoRA** when memory at the start is no problem; mind its schedule: with \`deltaT\` beyond the end it never prunes.
    - **IncreLoRA** when you can afford a score at every step and want growth by gradients.
    - **TriAdaptLoRA** when the score should cost next to nothing; mind the warm-up and the interval.

    And always look whether it *does* adapt. [Watch all four on Play](play?run=healthy-race), [see a schedule first](tune), or [ask what another schedule would have done](tune?tab=What+if).`);

  function start() {
    if (!state.runs.length) panel.show("recorded");
    if (!state.runs.length) return;
    cancelAnimationFrame(state.playing);
    const begun = performance.now();
    const {end} = state.runs[0];
    const tick = (now) => {
      state.step = Math.min(end, Math.round(((now - begun) / 5000) * end));
      slider.set(state.step);
      stage.draw();
      if (state.step < end && stage.node.isConnected) state.playing = requestAnimationFrame(tick);
    };
    state.playing = requestAnimationFrame(tick);
  }

  stage.redraw = () => {
    play.disabled = !state.runs.length && !stage.data?.recorded;
    formula.draw(...state.runs.map((run) => line(words(`${run.label}: total rank `), row(number(run.totalAt(at()), `total-${run.method}`), op("→"), number(run.target)), words("  trained numbers "), number(run.parameters[run.eventsAt(at())], `parameters-${run.method}`))));
  };
}

function shared([a, b]) {
  const [x, y] = [a.ranksAt(), b.ranksAt()];
  return x.reduce((sum, rank, i) => sum + Math.min(rank, y[i]), 0);
}

function cells(run, step) {
  if (!run) return {matrices: []};
  const ranks = run.ranksAt(step);
  return {
    matrices: run.matrices, title: run.label, share: (i) => Math.min(1, ranks[i] / 8), text: (i) => ranks[i], outlined: (i) => run.planted[i] > 0,
    tip: (i) => `rank ${ranks[i]}, needs ${run.planted[i]}`, note: `ranks ${ranks.join(", ")}`,
  };
}
