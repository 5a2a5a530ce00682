// The rank maps as plain tables, drawn while Plotly is still loading: the first thing a visitor came to see. Replaced by
// the board, which shows the same numbers in the same colours. Where there is no map yet, a line says why.
import {Held, unpackFrame} from "./frames.js";
import {emptyWords} from "./empty_words.js";
import {PLANTED_COLOUR, brightness, rankColour, readTheme} from "./theme.js";
import {mapGrid, rankCeiling} from "./rankmap.js";

export function drawFirstLook(root, bytes) {
  const held = new Held();
  held.apply(unpackFrame(bytes));
  const runs = held.runs.filter((run) => run.started);
  const theme = readTheme(root);
  const top = rankCeiling(runs);
  const look = document.createElement("div");
  look.className = "tri-first-look";
  look.dataset.testid = "first-look";
  look.style.cssText = `display:grid;grid-template-columns:1fr 1fr;gap:12px 28px;max-width:620px;font-family:${theme.font};color:${theme.text};font-size:12px`;
  for (const run of runs) {
    // A recorded race is about to play from its start.
    const ranks = run.status.state === "recorded" ? run.startRanks : run.ranksAt(held.last);
    const table = document.createElement("table");
    table.style.cssText = "border-collapse:separate;border-spacing:1px;width:100%;table-layout:fixed;text-align:center";
    const caption = document.createElement("caption");
    caption.textContent = run.started.label;
    caption.style.cssText = "font-weight:600;text-align:left;padding-bottom:4px";
    table.append(caption);
    const {index} = mapGrid(run.started.matrices);
    for (const row of [...index].reverse()) {
      const line = table.insertRow();
      for (const matrix of row) {
        const cell = line.insertCell();
        if (matrix < 0) continue;
        const fill = rankColour(ranks[matrix] / top);
        cell.textContent = String(ranks[matrix]);
        cell.style.cssText = `height:34px;background:${fill};color:${brightness(fill) < 140 ? "#fff" : "#222"}`;
        if (run.started.matrices[matrix].planted) cell.style.boxShadow = `inset 0 0 0 2px ${PLANTED_COLOUR}`;
      }
    }
    look.append(table);
  }
  if (!runs.length) {
    look.style.cssText = `padding:64px 16px;text-align:center;font-family:${theme.font};color:${theme.quiet};font-size:16px`;
    look.textContent = emptyWords(held.runs);
  }
  root.replaceChildren(look);
}
