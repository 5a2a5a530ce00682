// The heads of the board: one chip a run, its colour and dash, what it holds, how it goes. A click focuses a run.
import {DASH_ARRAYS, element, methodColour, tidy} from "./theme.js";

const STATE_WORDS = {
  queued: "queued", running: "running", paused: "paused", finished: "finished", stopped: "stopped", failed: "failed",
  interrupted: "interrupted", recorded: "recorded", damaged: "damaged",
};

// A short line in the run's colour and dash.
export function runSwatch(run, theme) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("class", "tri-swatch");
  svg.setAttribute("viewBox", "0 0 28 8");
  svg.setAttribute("aria-hidden", "true");
  const line = document.createElementNS("http://www.w3.org/2000/svg", "path");
  line.setAttribute("d", "M1 4H27");
  line.setAttribute("stroke", methodColour(run, theme));
  line.setAttribute("stroke-width", "3.5");
  line.setAttribute("stroke-dasharray", DASH_ARRAYS[run.started ? run.started.dash : "solid"] || "");
  svg.append(line);
  return svg;
}

function stateWords(run) {
  const {state, position, speed, eta} = run.status;
  const words = [STATE_WORDS[state] || state];
  if (state === "queued" && Number.isFinite(position)) words[0] = position <= 1 ? "next in the queue" : `number ${position} in the queue`;
  if (state === "running" && run.last >= 0) words.push(`step ${run.last}`);
  if (state === "running" && speed) words.push(`${tidy(speed)} steps/s`);
  if (state === "running" && Number.isFinite(eta)) words.push(`${eta < 90 ? `${Math.max(1, Math.round(eta))} s` : `${Math.round(eta / 60)} min`} left`);
  return words.join(", ");
}

export class Chips {
  constructor(board) {
    this.board = board;
    this.section = element("section", {className: "tri-chips", dataset: {testid: "chips"}});
    this.section.setAttribute("aria-label", "Runs; choose one to explain");
    this.errors = element("div", {className: "tri-errors"});
    this.nodes = new Map();
  }

  draw() {
    const {runs, theme, focus, step} = this.board;
    const keep = new Set(runs.map((run) => run.id));
    for (const [id, node] of this.nodes) {
      if (!keep.has(id)) { node.button.remove(); this.nodes.delete(id); }
    }
    for (const run of runs) {
      const node = this.#node(run);
      const at = run.started ? run.eventAt(step) : -1;
      const total = run.started ? (at < 0 ? run.started.start_total : run.events[at].total) : null;
      const last = run.evals.findLastIndex((one) => one.t <= step);
      const metric = last < 0 ? "" : `${run.started.metric} ${tidy(run.evals[last].metrics[run.started.metric])}`;
      const look = `${theme.text}${run.started ? run.started.colour + run.started.dash : ""}`;
      if (node.look !== look) {
        node.look = look;
        node.mark.replaceChildren(runSwatch(run, theme));
      }
      setText(node.label, run.started ? run.started.label : (run.status.label || run.id));
      setText(node.numbers, [total === null ? "" : `${run.measured ? "effective " : ""}rank ${total}`, metric].filter(Boolean).join(" · "));
      setText(node.state, stateWords(run));
      node.button.dataset.state = run.status.state;
      node.button.setAttribute("aria-pressed", String(run === focus));
    }
    // A run that was on view before keeps its chip, but not the place it had among others.
    const inOrder = runs.map((run) => this.nodes.get(run.id).button);
    if (inOrder.some((button, i) => this.section.children[i] !== button)) this.section.append(...inOrder);
    this.#drawErrors(runs);
  }

  #node(run) {
    let node = this.nodes.get(run.id);
    if (node) return node;
    const part = (className) => element("span", {className});
    node = {mark: part("tri-chip-mark"), label: part("tri-chip-label"), numbers: part("tri-chip-numbers"), state: part("tri-chip-state")};
    node.button = element("button", {type: "button", className: "tri-chip", title: "Explain this run in the panels below"},
      node.mark, node.label, node.numbers, node.state);
    node.button.addEventListener("click", () => this.board.setFocus(run.id));
    this.nodes.set(run.id, node);
    this.section.append(node.button);
    return node;
  }

  #drawErrors(runs) {
    if (this.board.held.extras.errors === "elsewhere") return; // the page around the board tells them
    const bad = runs.filter((run) => run.error || ["failed", "damaged", "interrupted"].includes(run.status.state));
    const texts = bad.map((run) => {
      const name = run.started ? run.started.label : run.id;
      return `${name} ${STATE_WORDS[run.status.state] || "failed"}: ${run.error || run.status.message || "no message was left"}`;
    });
    if (this.shownErrors === texts.join("\n")) return;
    this.shownErrors = texts.join("\n");
    this.errors.replaceChildren(...texts.map((text) => element("p", {className: "tri-error", role: "alert"}, text)));
  }
}

function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}
