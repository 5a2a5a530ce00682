// On the rank map: how much of each rank is used, as "4/2" or as a bar.
import {usedAt} from "./effective.js";

// What stands in a cell, by index of the matrix: "4", or "4/2" for rank and used; "?" where the rank has changed since.
export function cellText(run, step, used) {
  const ranks = run.ranksAt(step);
  const found = used && !run.measured ? usedAt(run, step) : null;
  return (i) => (found ? `${ranks[i]}/${found.used[i] ?? "?"}` : String(ranks[i]));
}

// Where "4/2" has no room: a bar at the foot of each cell, white for the share of the rank that is used.
export function paintUsed(brush, maps, step, margin) {
  for (const {run, grid, x0, x1, y0, y1} of maps) {
    const found = usedAt(run, step);
    if (!found || run.measured) continue;
    const ranks = run.ranksAt(step);
    const w = (x1 - x0) / grid.modules.length;
    const h = (y1 - y0) / grid.layers.length;
    const high = Math.max(2, 0.2 * h);
    grid.index.forEach((cells, row) => cells.forEach((index, column) => {
      if (index < 0 || found.used[index] === null) return;
      const left = margin.l + x0 + column * w + 3;
      const top = margin.t + y1 - row * h - high - 2.5;
      brush.fillStyle = "rgba(0, 0, 0, .55)";
      brush.fillRect(left, top, w - 6, high);
      brush.fillStyle = "#ffffff";
      brush.fillRect(left, top, (w - 6) * Math.min(1, found.used[index] / Math.max(1, ranks[index])), high);
    }));
  }
}

// What the numbers or bars say, and of when.
export function usedNote(runs, step, bars) {
  const found = runs.filter((run) => run.size && !run.measured).map((run) => usedAt(run, step)).filter(Boolean);
  if (!found.length) return "used: nothing measured up to this step";
  const steps = found.map((one) => one.t);
  const [first, last] = [Math.min(...steps), Math.max(...steps)];
  const changed = bars ? "; no bar: changed since" : "; ?: changed since";
  return `${bars ? "white: share of the rank used" : "rank/used"} after ${first === last ? first : `${first} to ${last}`} steps`
    + (found.some((one) => one.older) ? changed : "")
    + (runs.some((run) => run.size && run.started.allocation === "freezes") ? "; used counts what is frozen too" : "");
}
