// A run of a comparison: all its states, and where it stood at a moment. The Python twin of `standing` is
// triadapt/views/compare/moment.py; what a run comes in is made by triadapt/views/compare/frame.py.
import {between} from "../frames.js";
import {matrixLabel} from "../theme.js";

export const MOMENTS = {
  end: {word: "the end", title: "Every run at its end"},
  step: {word: "equal step", title: "Every run after the same step"},
  budget: {word: "equal budget", title: "Every run where its total rank first is the same"},
  time: {word: "equal time", title: "Every run after the same running time. The runs of a race take turns and share one clock"},
};

// How many of `marks`, which ascend, are at most `value`.
export function upTo(marks, value) {
  let low = 0;
  let high = marks.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (marks[middle] <= value) low = middle + 1;
    else high = middle;
  }
  return low;
}

export class ComparedRun {
  constructor(part, matrices) {
    for (const key of ["id", "label", "name", "group", "place", "method", "colour", "dash", "seed", "state", "kind", "around"]) this[key] = part[key];
    this.table = part.matrices;
    this.matrices = matrices;
    this.at = new Map(matrices.map((matrix, i) => [matrixLabel(matrix), i]));
    this.planted = matrices.every((matrix) => matrix.planted !== null) ? matrices.map((matrix) => matrix.planted) : null;
    this.totalStep = part.total_step;
    this.target = part.target;
    this.allotted = part.rank_kind !== "measured"; // else its ranks are effective ones of dW, good for a map alone
    this.events = part.events;
    this.eventTimes = part.event_times;
    this.parameters = part.parameters;
    this.losses = part.losses;
    this.clock = part.clock;
    this.evaluations = part.evaluations;
    this.lastTime = part.last_time;
    this.ranks = allRanks(part.ranks);
    this.totals = this.ranks.map((ranks) => ranks.reduce((sum, rank) => sum + rank, 0));
    let from = 0;
    this.chosen = Array.from(part.chosen_count, (count) => new Set(part.chosen.subarray(from, from += count)));
  }

  // Steps of its rank events, and their times; a measurement of dW is none.
  get decisions() {
    return this.allotted ? this.events : [];
  }

  get decisionTimes() {
    return this.allotted ? this.eventTimes : [];
  }

  // The newest step that is recorded, -1 before the first.
  get last() {
    const {t} = this.losses;
    return t.length ? t[t.length - 1] : -1;
  }

  // Seconds of running time at a step.
  timeAt(step) {
    return between(this.clock.t, this.clock.time, step) ?? 0;
  }

  // {state, losses, evaluations, done}: a row of `ranks`, how many losses and evaluations came up to then, steps done.
  // null when the run never got there; one without a rank of its own is at no budget.
  standing({kind, value}) {
    const {events, evaluations, losses, ranks} = this;
    const last = {state: ranks.length - 1, losses: losses.t.length, evaluations: evaluations.t.length, done: this.last + 1};
    if (kind === "end") return last;
    if (kind === "time") {
      if (value > this.lastTime) return null;
      const {t, time} = this.clock;
      const done = !t.length || value < time[0] ? 0 : Math.floor(between(time, t, value)) + 1;
      return {state: upTo(this.eventTimes, value), losses: upTo(losses.t, done - 1), evaluations: upTo(evaluations.time, value), done};
    }
    if (kind === "step") {
      if (value > this.last) return null;
      return {state: upTo(events, value), losses: upTo(losses.t, value), evaluations: upTo(evaluations.t, value + 1), done: value + 1};
    }
    if (!this.allotted) return null;
    const grows = this.totals[0] < value;
    const state = this.totals.findIndex((total) => (grows ? total >= value : total <= value));
    if (state < 0) return null;
    const done = state < events.length ? events[state] + 1 : last.done;
    return {state, losses: upTo(losses.t, done - 1), evaluations: upTo(evaluations.t, done), done};
  }
}

function allRanks({first, changes, where, rank}) {
  const rows = [first];
  let at = 0;
  for (const count of changes) {
    const row = rows[rows.length - 1].slice();
    for (const end = at + count; at < end; at += 1) row[where[at]] = rank[at];
    rows.push(row);
  }
  return rows;
}

// Several runs of one group as one: the mean of those that are there.
export class GroupMean {
  constructor(label, runs) {
    this.id = `mean ${label}`;
    this.label = `mean of ${label}`;
    this.runs = runs.filter((run) => run.table === runs[0].table);
    Object.assign(this, {table: runs[0].table, matrices: runs[0].matrices, at: runs[0].at, group: runs[0].group, allotted: runs[0].allotted});
  }
}

// Ranks of a run, or mean ranks of a group, at a moment; null where nobody is there.
export function ranksAt(one, moment) {
  if (!(one instanceof GroupMean)) {
    const at = one.standing(moment);
    return at && one.ranks[at.state];
  }
  const rows = one.runs.map((run) => ranksAt(run, moment)).filter(Boolean);
  if (!rows.length) return null;
  return Array.from(rows[0], (_, i) => rows.reduce((sum, row) => sum + row[i], 0) / rows.length);
}

// What is planted, where all of a group agree on it; else null.
export function plantedOf(one) {
  const runs = one instanceof GroupMean ? one.runs : [one];
  const [first] = runs;
  return first.planted && runs.every((run) => String(run.planted) === String(first.planted)) ? first.planted : null;
}

// What the numbers in the map of a run, or of a mean, are.
export function rankWord({allotted}) {
  return allotted ? "rank" : "effective rank";
}

// Names those of `runs` that have no rank of their own, for a panel that leaves them out; "" where there is none.
export function rankless(runs) {
  const labels = runs.filter((run) => !run.allotted).map((run) => run.label);
  return labels.length ? `No rank of its own: ${labels.join(", ")}.` : "";
}

// A moment in words, as a heading says it.
export function momentWords({kind, value}) {
  return {end: "at the end", step: `after step ${value}`, budget: `at total rank ${value}`, time: `after ${Number(value.toFixed(1))} s`}[kind];
}

// Says so where the runs of a moment have not trained equally long, which "equal budget" and "equal time" bring about.
export function unequalSteps(runs, moment) {
  const done = runs.map((run) => run.standing(moment)).filter(Boolean).map((at) => at.done);
  const [least, most] = [Math.min(...done), Math.max(...done)];
  return done.length > 1 && least < most ? `after different numbers of steps, ${least} to ${most}; ` : "";
}
