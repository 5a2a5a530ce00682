// Presets that fail: what a run shows, what may be to blame, and the same run repaired. One module for all of them.
import {LineChart} from "../line_chart.js";
import {RacePanel} from "../race.js";
import {RankGrid, rankCells} from "../rank_grid.js";
import {element} from "../../board/theme.js";
import {inline} from "../say.js";

export function build(stage) {
  const state = {runs: [], picked: null, built: false};
  const head = stage.beat("What you see", "A run of TriAdaptLoRA on the planted task: twelve matrices, of which three need rank (orange), and 300 steps. Something was set so that it cannot work well.");
  stage.onData((data) => {
    if (state.built || !data.preset) return;
    state.built = true;
    scene(stage, state, head, data);
  });
}

function scene(stage, state, head, {preset, recorded}) {
  const found = () => state.runs[0] || recorded?.runs[0];
  const repaired = () => state.open && state.runs[1];
  head.add(element("p", {className: "ln-symptom"}, ...inline(preset.symptom, stage.pages)));
  const fields = element("table", {className: "ln-table", dataset: {testid: "fields"}});
  head.add(fields);
  const {theme} = stage.learn;
  const mine = (run, at) => ({label: run.called, colour: at ? stage.learn.theme.primary : stage.learn.theme.grey, dash: at ? "solid" : "dash"});
  const both = () => [found(), repaired()].filter((run) => run?.started);
  const totals = new LineChart(() => both().map((run, at) => ({...run.stairs(theme), ...mine(run, at)})), () => ({
    yTitle: "total rank", xHigh: found()?.end, height: 200, line: found() && {value: found().target, label: `budget ${found().target}`},
  }), {testid: "wrong-totals"});
  const losses = new LineChart(() => both().map((run, at) => ({...run.metricLine(theme), ...mine(run, at)})), () => ({
    yTitle: "relative loss, held out", xHigh: found()?.end, high: Math.max(1.05, ...both().flatMap((run) => Array.from(run.metrics.value))), height: 200,
  }), {testid: "wrong-loss"});
  const maps = [0, 1].map((at) => new RankGrid(() => ranksAtTheEnd([found(), repaired()][at]), {testid: `wrong-map-${at}`}));
  const holder = element("div", {className: "ln-maps"}, ...maps.map((map) => stage.keep(map)));
  const shown = element("div", {className: "ln-shown"}, stage.keep(totals), stage.keep(losses), holder);
  head.section.append(shown);
  head.section.classList.remove("ln-alone");

  const panel = new RacePanel(stage, {
    run: "Repair it and train again", recorded: "Show the recorded repair", withSeed: false, help: "Trains the run as found beside the one with your suspect repaired",
    values: () => ({suspect: state.picked}),
    shown: (runs, kind) => {
      state.runs = runs;
      state.open = kind === "live" || state.picked === preset.blame;
    },
  });
  panel.node.hidden = true;
  const verdict = element("div", {className: "ln-said", role: "status", dataset: {testid: "verdict"}});
  const explanation = element("div", {hidden: true}, ...stage.say(preset.explanation));
  const ask = stage.ask({
    id: "blame", label: "Find what is wrong",
    question: "What is to blame?",
    options: preset.suspects.map(({name, label}) => [name, inlineSafe(label)]),
    truth: () => preset.blame,
    reveal: (picked) => {
      state.picked = picked;
      panel.node.hidden = false;
      explanation.hidden = false;
      return preset.suspects.find(({name}) => name === picked)?.verdict;
    },
  });
  const trial = stage.choice("Repair", preset.suspects.map(({name, label}) => [name, label]), state.picked, (name) => {
    state.picked = name;
    verdict.replaceChildren(...inline(preset.suspects.find((one) => one.name === name).verdict, stage.pages));
    if (panel.kind === "recorded") panel.show("recorded");
  });
  trial.node.hidden = true;
  stage.beat("Find it", "Look at the settings (point at one to read what it does) and at the moment at which something goes wrong or fails to happen. Then name the one to blame. Afterwards you can repair any suspect and see what that does.",
    ask.node, trial.node, panel, verdict, explanation);
  stage.redraw = () => {
    const run = found();
    trial.node.hidden = panel.node.hidden;
    if (!panel.node.hidden) trial.press(state.picked);
    if (!run?.started) return;
    const rows = preset.shows.filter((name) => name in run.config).map((name) => {
      const fixed = repaired() && repaired().config[name] !== run.config[name] ? repaired().config[name] : null;
      return element("tr", {}, element("th", {}, element("code", {dataset: {tip: preset.meanings[name] || ""}, tabIndex: 0}, name)), element("td", {}, String(run.config[name])), ...(repaired() ? [element("td", {className: "ln-fixed"}, fixed === null ? "" : `→ ${fixed}`)] : []));
    });
    const drawn = rows.map((one) => one.textContent).join(" ");
    if (drawn === fields.dataset.drawn) return;
    fields.dataset.drawn = drawn;
    fields.replaceChildren(element("caption", {}, "Settings of the run"), ...rows);
  };
}

const inlineSafe = (text) => text.replace(/([\w.]+_[\w.]+)/g, "`$1`");

function ranksAtTheEnd(run) {
  return rankCells(run, {title: `${run?.called}, at the end`, top: run?.started ? Math.max(8, ...run.ranksAt()) : 8});
}
