// Lesson 5: the normalised Frobenius norm, by hand, on numbers that the reader may change.
import {element} from "../../board/theme.js";
import {Bars} from "../bars.js";
import {Formula, fenced, frac, line, norm, number, op, power, root, row, sym, words} from "../formula.js";
import {byScore, normalizedFrobenius} from "../maths/importance.js";
import {takeScores} from "../race.js";
import {coreOf} from "../maths/triangular.js";

const START = {L: [[1.2, 0, 0], [0.4, 1.1, 0], [-0.3, 0.2, 1]], U: [[0.3, 0.5, -0.1], [0, 0.2, 0.4], [0, 0, 0]], m: 3, before: 0.6};

export function build(stage) {
  const state = structuredClone(START);
  stage.importance = state; // for the test that recomputes what is shown
  const [normal, score] = [new Formula(), new Formula()];
  const problem = element("p", {className: "ln-problem", role: "status"});
  const fields = (name, upper) => {
    const table = element("table", {className: "ln-numbers"}, element("caption", {}, name));
    table.append(...state[name].map((line, i) => element("tr", {}, ...line.map((value, j) => {
      const inside = upper ? j >= i : j <= i;
      if (!inside) return element("td", {className: "ln-off", title: "outside the triangle: always 0"}, "0");
      const input = element("input", {type: "number", step: 0.1, value, title: `Entry of ${name} in row ${i + 1}, column ${j + 1}`, dataset: {entry: `${name}${i}${j}`}});
      input.setAttribute("aria-label", input.title);
      input.addEventListener("input", () => {
        const typed = Number(input.value);
        const fine = input.value.trim() !== "" && Number.isFinite(typed) && Math.abs(typed) <= 100;
        input.setAttribute("aria-invalid", String(!fine));
        problem.textContent = fine ? "" : `${name}, row ${i + 1}, column ${j + 1} = ${input.value || "nothing"}: a number from −100 to 100; the last one counts`;
        if (fine) state[name][i][j] = typed;
        stage.draw();
      });
      return element("td", {}, input);
    }))));
    return table;
  };
  const sum = element("table", {className: "ln-numbers ln-sum"});
  const tables = element("div", {className: "ln-tables"}, fields("L", false), element("span", {}, "+"), fields("U", true), element("span", {}, "="), sum);
  const blocks = stage.slider("blocks so far, m", {min: 1, max: 6, value: state.m, name: "blocks", help: "How many blocks the matrix has grown"}, (m) => { state.m = m; });
  const before = stage.slider("norm at the last event", {min: 0, max: 2, step: 0.05, value: state.before, name: "before", format: (value) => value.toFixed(2), help: "The normalised norm when the last event happened"}, (value) => { state.before = value; });
  const first = stage.beat("How much has this matrix learned lately?", `
    Now and then TriAdaptLoRA decides which matrices grow: an **event**. For that it gives every matrix a number, its **importance**. It asks: how large is $L$ + $U$ now, and how much larger is that than at the last event?

    *How large* is measured by the **Frobenius norm**: square all entries, add them up, take the root. It is then divided by $m$, the number of blocks. That is the **normalised** norm.

    *Importance* $I$ is the rise of this number since the last event, $prev$.

    Change the numbers; the formula follows. (Here every block is one rank, so $L$ and $U$ are plain triangles. The diagonal stands in both.)`,
  tables, problem, blocks.node, before.node, normal, score);
  const core = () => coreOf(state);
  first.add(stage.ask({
    id: "drop",
    question: "The matrix above grows from 3 blocks to 4; its new diagonal entry is 1, all else that is new is 0. Nothing was trained in between. What happens to its normalised norm?",
    options: [["up", "it rises: there is more in the matrix"], ["same", "it stays: nothing was learned"], ["down", "it falls"]],
    truth: () => {
      const now = normalizedFrobenius(coreOf(START), 3);
      const then = normalizedFrobenius([...coreOf(START).map((line) => [...line, 0]), [0, 0, 0, 1]], 4);
      return then > now + 1e-9 ? "up" : then < now - 1e-9 ? "down" : "same";
    },
    reveal: () => {
      const now = normalizedFrobenius(coreOf(START), 3);
      const then = normalizedFrobenius([...coreOf(START).map((line) => [...line, 0]), [0, 0, 0, 1]], 4);
      return `It falls, from ${now.toFixed(3)} to ${then.toFixed(3)}: the sum under the root grows by 1, but it is divided by 4 instead of 3. That is what the division does: a matrix that just grew scores low at the next event, and others get their turn.`;
    },
  }));
  const real = {run: null, event: 2};
  const bars = new Bars((theme) => {
    const {run, event} = real;
    if (!run) return {values: [], yTitle: "importance", colour: () => theme.grey};
    const scores = run.scoresOf(event);
    const order = byScore(scores);
    return {
      values: order.map((i) => scores[i]), names: order.map((i) => `L${run.matrices[i].layer}.${run.matrices[i].module}`), height: 240,
      yTitle: `importance of each matrix at step ${run.events[event]}`, colour: (at) => (run.matrices[order[at]].planted ? "#D55E00" : theme.grey),
      tip: (at) => `${run.matrices[order[at]].module} of block ${run.matrices[order[at]].layer}: ${scores[order[at]].toPrecision(3)}${run.matrices[order[at]].planted ? ", needs rank" : ""}`,
    };
  }, {testid: "real-scores"});
  const guide = new Formula();
  const event = stage.slider("event", {min: 0, max: 0, value: 0, name: "event", help: "Which event of the recorded run", format: (at) => String(at + 1)}, (at) => { real.event = at; });
  stage.beat("The same in a real run", `
    These are the scores of all twelve matrices of a recorded run, from the largest. Orange ones are those that need rank. Move through the events.

    Scores may be negative: a norm that fell. The one that is far below the others, if there is one, grew at the event before.

    How good a guide is this? Count, event by event, how many of the three highest need rank. The score sees only the small table, neither $A$ nor $B$ nor the loss. It costs next to nothing, and when most matrices
    have stopped changing, what is left of it is close to chance.`, event.node, bars, guide);
  stage.onData((data) => {
    takeScores(data, real, event, 2);
  });
  stage.redraw = () => {
    if (real.run) {
      const hits = real.run.scores.length ? topThree(real.run, real.event) : 0;
      const all = real.run.events.map((_, i) => topThree(real.run, i));
      guide.draw(line(words("of the three highest, those that need rank: "), number(hits, "hits"), words("  over all events: "), number(all.reduce((sum, one) => sum + one, 0) / all.length, "hits-mean", 3), words("  by chance: "), number((3 * real.run.planted.filter(Boolean).length) / real.run.n, "hits-chance", 3)));
    }
    const values = core();
    sum.replaceChildren(element("caption", {}, "L + U"), ...values.map((line) => element("tr", {}, ...line.map((value) => element("td", {}, String(Number(value.toFixed(3))))))));
    const squares = values.flat().filter(Boolean);
    const total = squares.reduce((all, value) => all + value * value, 0);
    const now = normalizedFrobenius(values, state.m);
    const shown = squares.slice(0, 4).flatMap((value, i) => [...(i ? [op("+")] : []), power(value < 0 ? fenced(number(value)) : number(value), "<mn>2</mn>")]);
    normal.draw(
      line(row(frac(norm(row(sym("L"), op("+"), sym("U"))), sym("m")), op("=")), row(frac(root(row(...shown, ...(squares.length > 4 ? [op("+"), words("…")] : []))), number(state.m)), op("=")), row(frac(root(number(total, "squares")), number(state.m)), op("="), number(now, "norm"))),
    );
    score.draw(line(row(sym("I"), op("="), frac(norm(row(sym("L"), op("+"), sym("U"))), sym("m")), op("−"), sym("prev"), op("=")), row(number(now), op("−"), number(state.before), op("="), number(now - state.before, "importance"))));
  };
}

function topThree(run, event) {
  const scores = run.scoresOf(event);
  return byScore(scores).slice(0, 3).filter((i) => run.planted[i] > 0).length;
}
