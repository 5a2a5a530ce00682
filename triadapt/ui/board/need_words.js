// Was it needed? Known where ranks are planted. Elsewhere the change itself tells: how much of it the old rank could not hold.
import {matrixLabel, tidy} from "./theme.js";
import {energyBeyond} from "./effective.js";
import {isOver} from "./parts.js";

const NEEDED_ENERGY = 0.01; // of dW beyond the old rank: with less, the used rank (99 % of the energy) is not above the old one
const NEEDED_NAMED = 3;

// A sentence about what an event changed, with a space before it; empty if it changed nothing.
export function neededWords(run, event) {
  const prunes = run.started.allocation === "prunes";
  const changed = event.chosen.filter((i) => (prunes ? event.ranks[i] < event.before[i] : event.ranks[i] > event.before[i]));
  if (!changed.length) return "";
  if (run.started.matrices.some((matrix) => matrix.planted)) return plantedWords(run, event, changed, prunes);
  return prunes ? "" : usedWords(run, event, changed);
}

// A rank gained was needed where more is planted than there was; a rank lost where more is planted than is left.
function plantedWords(run, event, changed, prunes) {
  const planted = (i) => run.started.matrices[i].planted || 0;
  const needed = changed.filter((i) => planted(i) > (prunes ? event.ranks[i] : event.before[i]));
  if (changed.length > 1) return ` By what is planted, ${needed.length || "none"} of these ${changed.length} needed it.`;
  const [i] = changed;
  if (!planted(i)) return " Nothing is planted there: it was not needed.";
  return ` Rank ${planted(i)} is planted there${needed.length ? ": it was needed" : `, which it ${prunes ? "keeps" : "had"}: it was not needed`}.`;
}

const energyWords = (share) => `${tidy(100 * Number(share.toPrecision(2)))} %`;

// What the newest spectrum says of the matrices that grew. Right after the event the new rank has had no time to be used.
function usedWords(run, event, grown) {
  const record = run.geometry[run.geometry.length - 1];
  if (!record || record.t <= event.t + 1) {
    return isOver(run) ? " The change was not measured after it." : " Whether the new rank is used shows when the change is measured next.";
  }
  const rows = grown.map((i) => ({i, share: energyBeyond(record, i, event.before[i]) ?? 0}));
  const users = rows.filter((row) => row.share > NEEDED_ENERGY).sort((a, b) => b.share - a.share);
  const after = ` After ${record.t} steps`;
  if (rows.length === 1) {
    const [{i, share}] = rows;
    const lies = `of the energy of its change lies beyond its old rank ${event.before[i]}`;
    return users.length ? `${after}, ${energyWords(share)} ${lies}: the new rank is used.` : `${after}, ${energyWords(share)} ${lies}: the new rank is hardly used.`;
  }
  if (!users.length) return `${after}, none of these ${rows.length} uses more than its old rank.`;
  const names = users.slice(0, NEEDED_NAMED).map(({i, share}, at) => (
    `${matrixLabel(run.started.matrices[i])} (${energyWords(share)}${at ? "" : " of its energy beyond it"})`));
  const more = users.length > NEEDED_NAMED ? ` and ${users.length - NEEDED_NAMED} more` : "";
  return `${after}, ${users.length} of these ${rows.length} ${users.length === 1 ? "uses" : "use"} more than the old rank: ${names.join(", ")}${more}.`;
}
