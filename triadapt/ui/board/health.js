// Is it adapting at all? Per run: events fired, total against target, recovery of planted ranks, warnings with advice.
import {element, percent} from "./theme.js";
import {runSwatch} from "./chips.js";

// Recovery of planted ranks, as triadapt/views/recovery.py defines it; null when the truth is not known.
export function recoveryAt(run, step) {
  const planted = run.started.matrices.map((m) => m.planted);
  const needed = planted.reduce((sum, value) => sum + (value || 0), 0);
  if (!needed || planted.some((value) => value === null)) return null;
  const ranks = Array.from(run.ranksAt(step));
  const start = run.startRanks;
  let grown = ranks.map((rank, i) => Math.max(0, rank - start[i]));
  if (!grown.some((value) => value > 0)) grown = ranks;
  const total = grown.reduce((sum, value) => sum + value, 0);
  return {
    coverage: ranks.reduce((sum, rank, i) => sum + Math.min(rank, planted[i]), 0) / needed,
    precision: total ? grown.reduce((sum, value, i) => sum + (planted[i] > 0 ? value : 0), 0) / total : null,
    chance: planted.filter((value) => value > 0).length / planted.length,
  };
}

// What happened up to a step, in a few short parts.
export function healthParts(run, step) {
  const {allocation, planned, start_total: start, target_total: target} = run.started;
  const fired = run.events.filter((event) => event.t <= step);
  const total = fired.length ? fired[fired.length - 1].total : start;
  if (run.measured) return [fired.length ? `no rank of its own; effective rank of dW ${total} in all` : "no rank of its own; dW not measured yet"];
  if (allocation === "fixed") return [`fixed ranks, total ${total}`];
  // A run whose matrices begin with different ranks says so in an event nobody decided; an adapter by itself says no more.
  const decided = fired.filter((event) => event.rule !== "saved");
  if (decided.length < fired.length && run.started.total_step <= 1) return [`an adapter as it was saved, total ${total}`];
  if (allocation === "freezes" && !planned.length && !decided.length) return [`nothing is frozen, total ${total}`];
  const parts = [`${decided.length} of ${Math.max(planned.length, run.decisions.length)} events fired`, target ? `total ${total} of ${target}` : `total ${total}`];
  if (!target) return parts; // of a training from elsewhere it may not be known
  const reached = decided.find((event) => (allocation === "prunes" || allocation === "freezes" ? event.total <= target : event.total >= target));
  const ended = run.started.total_step <= step + 1;
  if (reached) parts.push(`budget reached at step ${reached.t}`);
  else if (!planned.length) parts.push("the schedule never fires");
  else parts.push(ended ? "budget not reached" : "budget not yet reached");
  return parts;
}

// What the run was warned of, and what its events say against it (triadapt/views/health.py).
function allWarnings(run) {
  return [...run.warnings, ...(run.status.health || []).map(({step, message, advice}) => ({t: step, message, advice}))];
}

export class HealthLine {
  constructor(board) {
    this.board = board;
    this.section = element("section", {className: "tri-health", dataset: {testid: "health"}});
    this.section.setAttribute("aria-label", "Health of the runs");
    this.shown = "";
  }

  draw() {
    const {board} = this;
    const rows = board.runs.filter((run) => run.started);
    const truth = rows.map((run) => recoveryAt(run, board.step));
    const chance = truth.find((one) => one);
    const lines = rows.map((run, i) => {
      const warnings = allWarnings(run).length;
      const parts = healthParts(run, board.step);
      const found = truth[i] && !run.measured ? `covers ${percent(truth[i].coverage)} of the planted rank, ${percent(truth[i].precision)} of its ${run.started.allocation === "grows" ? "grown " : ""}rank on planted matrices` : "";
      parts.push(warnings ? `${warnings} warning${warnings > 1 ? "s" : ""}` : "no warnings");
      return {run, text: parts.join(" · "), found};
    });
    const warned = rows.flatMap((run) => allWarnings(run).map((one) => ({run, ...one})));
    const key = JSON.stringify([lines.map((one) => [one.text, one.found]), warned.map((one) => one.message), board.theme.text, board.focus && board.focus.id]);
    if (key === this.shown) return;
    this.shown = key;
    const table = element("div", {className: "tri-rows"}, ...lines.map(({run, text, found}) => {
      const name = element("span", {className: "tri-row-name"}, runSwatch(run, board.theme), run.started.label);
      return element("div", {className: run === board.focus ? "tri-row tri-focus" : "tri-row"}, name,
        element("span", {}, text), element("span", {className: "tri-row-found"}, found));
    }));
    const chanceLine = chance
      ? [element("p", {className: "tri-quiet"}, `Rank spread evenly would put ${percent(chance.chance)} on planted matrices: that is chance.`)] : [];
    const list = warned.map((one) => element("p", {className: "tri-warning", role: "status"},
      element("b", {}, `${one.run.started.label}, step ${one.t}: `), `${one.message} `, element("i", {}, one.advice)));
    this.section.replaceChildren(table, ...chanceLine, ...list);
  }
}
