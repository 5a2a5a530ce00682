// Lesson 6: fixed, linear, non-linear: how many get in at an event, and who, on one set of real scores.
import {plan} from "../../lab/schedule.js";
import {Bars} from "../bars.js";
import {element} from "../../board/theme.js";
import {Formula, floor, frac, line, number, op, power, row, sym, words} from "../formula.js";
import {LineChart} from "../line_chart.js";
import {atOrAbove, byScore, growthThreshold} from "../maths/importance.js";
import {takeScores} from "../race.js";
import {RankGrid} from "../rank_grid.js";

const MODES = {linear: "linear", "non-linear": "non-linear", fixed: "fixed"};
const [N, REF] = [24, 2];

// How many matrices an event lets in: twin of matrices_to_grow in triadapt/growth/schedule.py.
export function countOf(mode, {gap, progress, top, matrices}) {
  if (gap <= 0) return 0;
  const count = mode === "linear" ? Math.floor(gap * progress) : mode === "non-linear" ? Math.floor(Math.exp(progress * Math.log(gap))) : top;
  return Math.max(1, Math.min(count, matrices));
}

export function build(stage) {
  const state = {mode: "linear", progress: 0.5, gap: 20, top: 2, run: null, event: 2};
  stage.threshold = state; // for the test that recomputes what is shown
  const formula = new Formula();
  const scores = () => (state.run ? state.run.scoresOf(state.event) : []);
  const allowed = (mode = state.mode) => countOf(mode, {...state, matrices: scores().length || 12});
  const mark = () => (state.run ? growthThreshold(scores(), allowed()) : NaN);
  const chosen = () => new Set(state.run ? atOrAbove(scores(), mark()) : []);
  const bars = new Bars((theme) => {
    const values = scores();
    const order = byScore(values);
    const within = chosen();
    return {
      values: order.map((i) => values[i]), names: order.map((i) => nameOf(state.run, i)), height: 250, yTitle: `importance at step ${state.run ? state.run.events[state.event] : "–"}`,
      line: {value: mark(), label: Number.isNaN(mark()) ? "nobody grows" : `threshold ${mark().toPrecision(3)}`}, colour: (at) => (within.has(order[at]) ? theme.primary : theme.grey),
      tip: (at) => `${nameOf(state.run, order[at])}: ${values[order[at]].toPrecision(3)}, ${within.has(order[at]) ? "grows" : "does not"}`,
    };
  }, {testid: "threshold-bars"});
  const map = new RankGrid(() => {
    const within = chosen();
    return {matrices: state.run ? state.run.matrices : [], title: "who gets in", picked: (i) => within.has(i), text: (i) => (within.has(i) ? "+1" : "")};
  }, {testid: "threshold-map"});
  const mode = stage.choice("Mode", Object.entries(MODES), state.mode, (value) => { state.mode = value; });
  const progress = stage.slider("progress, p", {min: 0, max: 1, step: 0.01, value: state.progress, name: "progress", format: (value) => value.toFixed(2), help: "How far growth has come between the end of the warm-up and the end"}, (value) => { state.progress = value; });
  const gap = stage.slider("gap: ranks still missing", {min: 0, max: 48, value: state.gap, name: "gap", help: "Target less total rank"}, (value) => { state.gap = value; });
  const top = stage.slider("top_h, for fixed", {min: 1, max: 12, value: state.top, name: "top", help: "Matrices an event under the fixed mode"}, (value) => { state.top = value; });
  const event = stage.slider("scores of event", {min: 0, max: 0, value: 0, name: "threshold-event", help: "Which event of the recorded run lends its scores", format: (at) => String(at + 1)}, (at) => { state.event = at; });
  const first = stage.beat("The door opens now and then", `
    First comes a **warm-up**: no growth. After it there is a **rank event** every **interval** steps, until the budget is met, which is also called the **target** total rank. The **gap** is what is still missing to it.

    At an event, a count says how many matrices may grow, and the **threshold** $tau$ is the score of the last one that may. All that reach it grow by $g$ ranks each; of equal scores the matrix that comes first counts as higher.

    The count is what the three **modes** differ in:

    - **fixed**: always the same, $top$, called \`top_h\`
    - **linear**: the gap times the progress $p$
    - **non-linear**: the gap to the power of the progress

    What is behind the point is cut off (⌊ ⌋). At least one matrix grows, and at most all $n$. When a matrix gains more than one rank at a time, the linear and the non-linear count are divided by $g$, so that the budget is not passed.`,
  mode.node, progress.node, gap.node, top.node, event.node, formula, bars, map);
  first.add(stage.ask({
    id: "early",
    question: "A quarter of the way, 20 ranks missing. Which mode lets more in?",
    options: [["linear", "linear"], ["non-linear", "non-linear"], ["same", "both the same"]],
    truth: () => {
      const [a, b] = ["linear", "non-linear"].map((one) => countOf(one, {gap: 20, progress: 0.25, top: 2, matrices: 24}));
      return a > b ? "linear" : a < b ? "non-linear" : "same";
    },
    reveal: () => {
      Object.assign(state, {progress: 0.25, gap: 20});
      progress.set(0.25);
      gap.set(20);
      return "Linear: ⌊20 × 0.25⌋ = 5. Non-linear: ⌊20 to the power of 0.25⌋ = ⌊2.11⌋ = 2. Non-linear gives little early and more late. Whether that is wise depends on when the scores are worth most: look back at lesson 5.";
    },
  }));

  const schedule = {warmup: 60, interval: 20, steps: 600};
  const stairs = new LineChart(() => Object.keys(MODES).map((one, i) => {
    const seen = plan({warmup: schedule.warmup, interval: schedule.interval, reference_rank: REF, top_h: state.top, add_r: 1, behaviour: "improved"}, {method: "triadaptlora", growth: one, allocation: "grows"}, schedule.steps, N);
    const {theme} = stage.learn;
    return {label: one, colour: theme.dark ? ["#56B4E9", "#F0E442", "#FF8FC7"][i] : ["#0072B2", "#B07400", "#AA3377"][i], dash: ["solid", "dash", "dot"][i], stairs: true, x: [0, ...seen.columns.step], y: [N, ...seen.columns.total], until: schedule.steps};
  }), () => ({yTitle: "total rank", xTitle: "step", low: 20, high: 50, xHigh: schedule.steps, height: 230, line: {value: N * REF, label: "target 48"}}), {testid: "threshold-stairs"});
  const warm = stage.slider("warm-up", {min: 0, max: 590, step: 10, value: schedule.warmup, name: "warmup", help: "No event up to and including this step"}, (value) => { schedule.warmup = value; });
  const every = stage.slider("interval", {min: 5, max: 200, step: 5, value: schedule.interval, name: "interval", help: "Steps between two events"}, (value) => { schedule.interval = value; });
  const link = element("p");
  const second = stage.beat("What a schedule does", `
    Put together, mode, warm-up and interval make a staircase of total rank, known *before* anything is trained: only *who* grows is decided by the scores. In this picture there are 24 matrices, 600 steps and a budget of 48.

    No staircase is right for every task. Two things hold for all: an event before anything was learned chooses blindly, and a rank that comes in the last steps has no time to learn. The capstone lets you try.`,
  warm.node, every.node, stairs, link);
  second.shown.hidden = true; // the picture is the answer
  second.add(stage.ask({
    id: "late",
    question: "With a warm-up of 60 and an interval of 20, under the linear mode: the gap shrinks while the progress grows. When is the staircase steepest?",
    options: [["begin", "in the first third of its events"], ["middle", "in the middle third"], ["end", "in the last third"]],
    truth: () => {
      const seen = plan({warmup: 60, interval: 20, reference_rank: REF, top_h: 2, add_r: 1, behaviour: "improved"}, {method: "triadaptlora", growth: "linear", allocation: "grows"}, 600, N);
      const {change} = seen.columns;
      const thirds = [0, 1, 2].map((at) => change.filter((_, i) => Math.floor((3 * i) / change.length) === at).reduce((sum, one) => sum + one, 0));
      return ["begin", "middle", "end"][thirds.indexOf(Math.max(...thirds))];
    },
    reveal: () => {
      second.shown.hidden = false;
      return "Gap times progress is largest when both are of some size: early the progress is small, late the gap. Under the non-linear mode it is otherwise; move the sliders and compare.";
    },
  }));
  stage.onData((data) => {
    takeScores(data, state, event, 4);
  });
  stage.redraw = () => {
    const count = allowed();
    const {gap: missing, progress: p, top: h} = state;
    const inner = {
      linear: [row(floor(row(sym("gap"), op("×"), sym("p"))), op("="), floor(row(number(missing), op("×"), number(p)))), missing * p],
      "non-linear": [row(floor(power(sym("gap"), sym("p"))), op("="), floor(power(number(missing), number(p)))), missing > 0 ? Math.exp(p * Math.log(missing)) : 0],
      fixed: [row(sym("top")), h],
    }[state.mode];
    formula.draw(
      line(row(sym("p"), op("="), frac(row(sym("t"), op("−"), sym("warmup")), row(sym("T"), op("−"), sym("warmup")))), words("  here "), number(p)),
      line(words("allowed "), row(inner[0], op("="), number(Math.floor(inner[1]))), words("  within 1 and n: "), number(count, "allowed")),
      line(words("threshold "), row(sym("tau"), op("="), number(mark(), "tau", 3)), words(count ? `, the score of number ${count}` : ", nobody: the budget is met")),
    );
    link.hidden = !stage.pages("tune");
    if (!link.hidden) link.replaceChildren(...stage.say(`[Take these to the schedule lab](tune?warmup=${schedule.warmup}&interval=${schedule.interval}&modes=all&method=triadaptlora), which also says what speaks against a schedule.`));
  };
}

const nameOf = (run, i) => `L${run.matrices[i].layer}.${run.matrices[i].module}`;
