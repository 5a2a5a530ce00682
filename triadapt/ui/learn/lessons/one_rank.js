// Lesson 3: the planted task with the same rank everywhere, against the same ranks where they are needed.
import {RankGrid, rankCells} from "../rank_grid.js";
import {LineChart} from "../line_chart.js";
import {RacePanel} from "../race.js";
import {PLANTED_COLOUR, element} from "../../board/theme.js";
import {Formula, frac, line, number, op, row, words} from "../formula.js";

const ORACLE = {colour: PLANTED_COLOUR, dash: "dash"}; // a line of its own: it is LoRA too

export function build(stage) {
  const state = {guess: new Set(), open: false, runs: []};
  const matrices = () => truth()?.matrices || twelve();
  // The guess is about the recorded task, whatever is trained afterwards.
  const truth = () => stage.data?.recorded?.runs[0];
  const planted = () => truth()?.planted || [];
  const needed = () => planted().filter(Boolean).length || 3;
  const grid = new RankGrid(() => ({
    matrices: matrices(), title: state.open ? "your guess, and the truth (orange)" : "press three matrices", picked: (i) => state.guess.has(i),
    outlined: (i) => state.open && planted()[i] > 0, tip: (i) => (state.open ? (planted()[i] ? `needs rank ${planted()[i]}` : "needs none") : state.guess.has(i) ? "your guess" : ""),
  }), {
    testid: "guess",
    pick: (i) => {
      if (state.open) return;
      if (!state.guess.delete(i) && state.guess.size < needed()) state.guess.add(i);
      stage.draw();
    },
  });
  const commit = stage.button("That is my guess", "Commit to these three and see the truth", () => reveal(true));
  commit.disabled = true;
  const said = element("p", {className: "ln-said", role: "status", tabIndex: -1});
  stage.beat("Guess where rank is needed", `
    To see whether a method puts rank in the right place, one has to know the right place. So this app has a **planted task**: a *teacher* network is a copy
    of a small network in which a few matrices were changed, each by a change of rank 8. The network itself, the *student*, sees only inputs and the teacher's outputs, and has to find
    the changes. Here three of twelve matrices were changed: two blocks with six matrices each.

    Which three? Press them. Nobody can know, so do not think long: this guess does not count. What follows comes after it.`,
  grid, commit, said);

  const panel = new RacePanel(stage, {
    run: "Train all three now",
    shown: (runs, kind) => {
      state.runs = runs;
      state.kind = kind;
      outcome();
    },
  });
  const maps = element("div", {className: "ln-maps"});
  const held = [];
  const losses = new LineChart(() => state.runs.filter((run) => run.started).map((run, at) => ({...run.metricLine(stage.learn.theme), ...(at === 1 ? ORACLE : {})})), () => ({
    yTitle: "relative loss on held-out data: 1 at the start, 0 is perfect", xTitle: "step", high: 1, height: 220,
    xHigh: state.runs[0]?.end,
  }), {testid: "one-rank-loss"});
  const shares = new Formula();
  const beat = stage.beat("One rank for all", `
    **Budget**: the sum of all ranks, the *total rank*. Here it is 24, two for each of the twelve matrices.

    Three runs spend it. *Rank 2 everywhere* is LoRA. *Where it is needed* is LoRA that was told the answer: 8 for each of the three, none elsewhere. It is
    an oracle to compare with; outside of a planted task nobody can be told. **TriAdaptLoRA** starts with 1 everywhere and decides for itself where the other twelve
    go. How, is in lessons 4 to 6.

    What counts is the *relative loss on held-out data*: the loss on inputs that were not trained on, over that of the untouched network. 1 is where it starts, 0 is perfect. The **seed** is the number from which all that is
    random follows; another seed is another task of the same kind.`,
  panel, maps, losses, shares);
  const ask = stage.ask({
    id: "who",
    question: "Same budget, same data. Which of them ends with the lowest loss?",
    options: [["even", "rank 2 everywhere: every matrix gets a chance"], ["oracle", "rank where it is needed"], ["same", "all the same, to within a tenth: the number of ranks decides"]],
    truth: () => {
      if (!panel.over) return null;
      const ends = state.runs.map((run) => run.metricAtEnd);
      if (Math.max(...ends) - Math.min(...ends) < 0.1 * Math.max(...ends)) return "same";
      return ends[1] < ends[0] ? "oracle" : "even";
    },
    reveal: () => {
      const [even, oracle, tri] = state.runs.map((run) => run.metricAtEnd);
      return `Rank 2 everywhere ends at ${even.toFixed(3)}, the same 24 ranks in the right place at ${Number(oracle.toPrecision(2))}: ${Number((even / oracle).toPrecision(2))} times less. TriAdaptLoRA, which was not told, ends at ${tri.toFixed(3)}. (Seed ${state.runs[0].config.seed}.) That gap is the most that placing rank well can win. No method that has to find out gets all of it: TriAdaptLoRA starts at rank 1 and stays behind for a while, and those first twelve ranks stay where they are, so that at most 15 of its 24 can be in the right place.`;
    },
  });
  ask.onPicked = () => { if (!panel.kind) panel.show("recorded"); };
  beat.add(ask);
  const {section: end} = stage.beat("", `
    With one rank for all, three quarters of the budget sit on matrices that need nothing, while the three that need 8 get 2. That is the waste.
    *Watch methods decide* on [Play](play), where the same task runs with more matrices.

    Equal rank is not equal size: a rank on *up* or *down* takes more numbers than one on *q*. What each run trains stands below its map.`);
  end.hidden = true;
  beat.section.hidden = true;

  function reveal(fresh) {
    if (!truth()) return;
    state.open = true;
    beat.section.hidden = false;
    commit.hidden = true;
    const hits = [...state.guess].filter((i) => planted()[i] > 0).length;
    if (fresh) stage.memory.note("one-rank/where", {picked: [...state.guess], points: 0, of: 0});
    said.textContent = `${hits} of ${needed()}. Who guesses blindly gets ${(needed() * needed() / planted().length).toFixed(2)} right on average. Neither names nor sizes tell; only training does.`;
    stage.draw();
    if (fresh) said.focus({preventScroll: true});
  }

  function outcome() {
    if (held.length !== state.runs.length) {
      held.splice(0);
      held.push(...state.runs.map((_, at) => new RankGrid(() => cells(state.runs[at]), {testid: `map-${at}`})));
      maps.replaceChildren(...held.map((map) => stage.keep(map)));
    }
    ask.settle();
    end.hidden = !ask.settled;
  }

  stage.redraw = () => {
    commit.disabled = state.guess.size !== needed() || !stage.data;
    const before = stage.memory.answer("one-rank/where");
    if (before && !state.open && stage.data?.recorded) {
      state.guess = new Set([].concat(before.picked).filter((i) => Number.isInteger(i) && i >= 0 && i < planted().length));
      reveal(false);
    }
    const [even, , tri] = state.runs;
    if (!even?.started || !panel.kind || !tri?.started) {
      shares.draw();
      return;
    }
    const share = (run) => 100 * (run.onPlanted() || 0);
    shares.draw(line(words(`trained numbers: ${state.runs.map((run) => `${run.called} ${run.parameters[run.events.length].toLocaleString("en")}`).join(", ")}`)), line(words("ranks on the matrices that need them: everywhere alike "), number(share(even), "share-even", 3), words(" %, TriAdaptLoRA "), number(share(tri), "share-tri", 3), words(" %")),
      line(words("chance: "), row(frac(number(needed()), number(even.n)), op("="), number((100 * needed()) / even.n, "chance", 3)), words(" %")));
  };
}

function cells(run) {
  return run.started ? rankCells(run) : {matrices: twelve(), title: run.called};
}

function twelve() {
  return [0, 1].flatMap((layer) => ["q", "k", "v", "o", "up", "down"].map((module) => ({layer, module, shape: [1, 1], planted: null})));
}
