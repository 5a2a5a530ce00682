// Capstone: a schedule of one's own against the default, on the same planted task, with the same seed.
import {plan} from "../../lab/schedule.js";
import {element} from "../../board/theme.js";
import {Formula, frac, line, number, op, row, words} from "../formula.js";
import {LineChart} from "../line_chart.js";
import {RacePanel} from "../race.js";
import {RankGrid, rankCells} from "../rank_grid.js";

const [N, STEPS, REF] = [12, 300, 2];
const DEFAULT = {warmup: 30, interval: 10, growth: "linear", top_h: 2, add_r: 1};
const NAMES = {warmup: "warm-up", interval: "interval", top_h: "top_h, for fixed", add_r: "add_r"};

export function build(stage) {
  const state = {values: {...DEFAULT}, runs: []};
  const seen = (values) => plan({...values, reference_rank: REF, behaviour: "improved"}, {method: "triadaptlora", growth: values.growth, allocation: "grows"}, STEPS, N);
  const planned = (values, label, colour, dash) => {
    const {columns, start} = seen(values);
    return {label, colour, dash, stairs: true, x: [0, ...columns.step], y: [start, ...columns.total], until: STEPS};
  };
  const sketch = new LineChart(() => [planned(DEFAULT, "the default schedule", stage.learn.theme.grey, "dash"), planned(state.values, "yours", stage.learn.theme.primary, "solid")],
    () => ({yTitle: "planned total rank", low: 10, high: 26, xHigh: STEPS, height: 200, line: {value: N * REF, label: "budget 24"}}), {testid: "capstone-plan"});
  const bounds = {warmup: [0, 299, 1], interval: [1, 150, 1], top_h: [1, 12, 1], add_r: [1, 8, 1]};
  const helps = {
    warmup: "No event up to and including this step", interval: "Steps between two events", top_h: "Matrices an event under the fixed mode", add_r: "Ranks that a matrix gains when it grows",
  };
  const sliders = Object.fromEntries(Object.entries(bounds).map(([key, [min, max, step]]) => [key, stage.slider(NAMES[key], {min, max, step, value: state.values[key], name: `capstone-${key}`, help: helps[key]}, (value) => { state.values[key] = value; })]));
  const mode = stage.choice("Mode", [["linear", "linear"], ["non-linear", "non-linear"], ["fixed", "fixed"]], "linear", (value) => { state.values.growth = value; });
  const reset = stage.button("Back to the default", "Set everything to the default schedule", () => {
    state.values = {...DEFAULT};
    for (const [key, slider] of Object.entries(sliders)) slider.set(DEFAULT[key]);
    mode.press("linear");
  }, "ln-quiet");
  stage.beat("Your schedule against the default", `
    All you know is in your hands now. The task is the planted one: twelve matrices, three of which need rank 8; a budget of 24; 300 steps. TriAdaptLoRA starts at rank 1 everywhere, so twelve ranks
    are yours to steer, by when they are given and to how many at once.

    Both schedules are trained side by side, with the same data and the same start. Your **score** is by how much you end below the default's loss.

    Think first. When do scores begin to mean something? What does a large \`add_r\` gain, and what does it risk? How much training is left for the last rank?`,
  mode.node, ...Object.values(sliders).map(({node}) => node), reset, sketch);

  const score = new Formula();
  const said = element("p", {className: "ln-said", role: "status", dataset: {testid: "capstone-said"}});
  const maps = element("div", {className: "ln-maps"});
  const pictures = [];
  const losses = new LineChart(() => state.runs.filter((run) => run.started).map((run, at) => ({...run.metricLine(stage.learn.theme), label: run.called, colour: at ? stage.learn.theme.primary : stage.learn.theme.grey, dash: at ? "solid" : "dash"})),
    () => ({yTitle: "relative loss, held out", xHigh: STEPS, high: 1, height: 210}), {testid: "capstone-loss"});
  const table = element("table", {className: "ln-table", dataset: {testid: "attempts"}});
  const panel = new RacePanel(stage, {
    run: "Train both", values: () => values(state.values), recorded: "Show a recorded attempt",
    shown: (runs, kind) => {
      state.runs = runs;
      state.kind = kind;
      const full = panel.over && runs.length === 2;
      if (full && kind === "live" && !stage.memory.attempts.some((one) => one.race === stage.data.live.race)) {
        stage.memory.attempt({race: stage.data.live.race, seed: runs[1].config.seed, values: picked(runs[1].config), ends: runs.map((run) => run.metricAtEnd), on: runs.map((run) => run.onPlanted(Infinity, true))});
      }
      // After a reload: what was asked for, so that the picture above is of the run below.
      if (kind === "live" && !state.taken && runs[1]?.started && !panel.asked) {
        state.values = picked(runs[1].config);
        for (const [key, slider] of Object.entries(sliders)) slider.set(state.values[key]);
        mode.press(state.values.growth);
      }
      if (kind === "live") state.taken = true;
      while (pictures.length < runs.length) {
        const at = pictures.length;
        pictures.push(new RankGrid(() => rankCells(state.runs[at]), {testid: `capstone-map-${at}`}));
        maps.append(stage.keep(pictures[at]));
      }
      list();
    },
  });
  stage.beat("Train both", `
    Beat the default once. Then try the *same* schedule with three other seeds: does it still win? What wins once may be luck; what wins on most seeds is a better schedule.`,
  panel, maps, losses, score, said, table);
  stage.beat("", `
    Real tuning does the same with more patience: [a study](tune?tab=Studies) tries many schedules on several seeds and says how sure it may be. The [schedule lab](tune) tells what speaks against a schedule
    before anything is trained, and [What if](tune?tab=What+if) takes the decisions of a recorded run again under another one.`);

  function list() {
    const {attempts} = stage.memory;
    table.hidden = !attempts.length;
    const head = ["schedule", "seed", "default", "yours", "better by"];
    const best = attempts.reduce((most, one) => Math.max(most, gain(one)), -Infinity);
    table.replaceChildren(element("caption", {}, "Your attempts, kept in this browser"), element("tr", {}, ...head.map((text) => element("th", {}, text))), ...attempts.slice(-12).reverse().map((one) => element("tr", {className: gain(one) === best ? "ln-best" : ""},
      element("td", {}, words_(one.values)), element("td", {}, String(one.seed)), ...one.ends.map((end) => element("td", {}, end.toFixed(3))), element("td", {}, `${(100 * gain(one)).toFixed(1)} %`))));
  }

  stage.redraw = () => {
    sliders.top_h.node.toggleAttribute("data-idle", state.values.growth !== "fixed");
    list();
    const [base, yours] = state.runs;
    if (!panel.over || !yours?.whole) {
      score.draw();
      said.textContent = "";
      return;
    }
    const [a, b] = [base.metricAtEnd, yours.metricAtEnd];
    score.draw(line(words("score "), row(frac(row(words("default"), op("−"), words("yours")), words("default")), op("=")), row(frac(row(number(a), op("−"), number(b)), number(a)), op("="), number((100 * (a - b)) / a, "score", 3)), words(" %")),
      line(words("ranks gained on matrices that need them: default "), number(100 * base.onPlanted(Infinity, true), "on-default", 3), words(state.kind === "recorded" ? " %, the attempt " : " %, yours "), number(100 * yours.onPlanted(Infinity, true), "on-yours", 3), words(" %")));
    const whose = state.kind === "recorded" ? `A recorded attempt, not yours: ${words_(picked(yours.config))}. ` : `${words_(picked(yours.config))}. `;
    said.textContent = whose + (b < a ? `Better than the default, with seed ${yours.config.seed}.` : b > a ? "Not yet. Look where the ranks went, and when." : "The same, to the last digit: an equal schedule.");
  };
}

const gain = ({ends: [a, b]}) => (a - b) / a;
const picked = (config) => Object.fromEntries(Object.keys(DEFAULT).map((key) => [key, config[key]]));
const words_ = (values) => `warm-up ${values.warmup}, interval ${values.interval}, ${values.growth}${values.growth === "fixed" ? ` ${values.top_h}` : ""}, add_r ${values.add_r}`;

// What differs from the default; the server knows the rest.
function values(all) {
  return Object.fromEntries(Object.entries(all).filter(([key, value]) => value !== DEFAULT[key]));
}
