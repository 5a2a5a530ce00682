// How a run is told apart where it is named: a short line in its colour and dash.
import {DASH_ARRAYS} from "../theme.js";

const NS = "http://www.w3.org/2000/svg";

export function swatch(comparison, run) {
  const svg = document.createElementNS(NS, "svg");
  svg.setAttribute("class", "tri-swatch");
  svg.setAttribute("viewBox", "0 0 28 8");
  svg.setAttribute("aria-hidden", "true");
  const line = document.createElementNS(NS, "path");
  line.setAttribute("d", "M1 4H27");
  line.setAttribute("stroke", comparison.colour(run));
  line.setAttribute("stroke-width", "3.5");
  line.setAttribute("stroke-dasharray", DASH_ARRAYS[run.dash] || "");
  svg.append(line);
  return svg;
}

// A node that lights a run, or the mean of a group, in all panels while the mouse is on it.
export function lights(comparison, node, id) {
  node.addEventListener("pointerenter", () => comparison.light(id));
  node.addEventListener("pointerleave", () => comparison.light(null));
  return node;
}

export const STATES = {
  queued: "waiting", running: "running", paused: "paused", stopped: "stopped", failed: "failed", interrupted: "interrupted",
};
