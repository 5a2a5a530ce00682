// A lane a line: its phases as bands on the step axis, and every event as a bar of what it may add or take.
import {DASH_ARRAYS, PLANTED_COLOUR, mixColours} from "../board/theme.js";
import {escape} from "./axis.js";

const TITLE = 18;
const STRIP = 46; // names of phases above, then numbers, then bars
const BAR = 17;
const BETWEEN = 8;
const ROOM_FOR_NUMBER = 22;
const ROOM_FOR_NAME = 54;

export function phaseLanes(lines, x, top, theme) {
  const parts = lines.length ? [`<text x="${x.from}" y="${top - 6}" class="title">What each event may add or take, in ranks</text>`] : [];
  let at = top + 2;
  for (const line of lines) {
    parts.push(`<path d="M${x.from} ${at + 9}h22" fill="none" stroke="${line.colour}" stroke-width="3" stroke-dasharray="${DASH_ARRAYS[line.dash]}"/>`);
    parts.push(`<text x="${x.from + 28}" y="${at + 13}" class="lane">${escape(line.label)}<tspan class="quiet" dx="8">${summary(line.seen, x.to - x.from > 560)}</tspan></text>`);
    parts.push(strip(line, x, at + TITLE, theme));
    at += TITLE + STRIP + BETWEEN;
  }
  return {text: parts.join(""), bottom: at};
}

function summary(seen, wide) {
  if (seen.refused) return "no run starts like this";
  if (seen.allocation === "fixed") return "the same rank all along";
  const {step, total} = seen.columns;
  if (!step.length) return "no rank event";
  const last = step.length - 1;
  const there = seen.allocation === "prunes" ? total[last] <= seen.target : total[last] >= seen.target;
  const when = step[there ? reachedAt(seen) : last];
  const many = `${step.length.toLocaleString("en")} event${step.length === 1 ? "" : "s"}`;
  if (!there) return `${many}, ends at ${total[last].toLocaleString("en")} of ${seen.target.toLocaleString("en")}`;
  return `${many}, ${wide ? "budget " : ""}reached at step ${when.toLocaleString("en")} (${((100 * when) / seen.steps).toFixed(0)} %)`;
}

function reachedAt(seen) {
  const {total} = seen.columns;
  return seen.allocation === "prunes" ? total.findIndex((one) => one <= seen.target) : total.findIndex((one) => one >= seen.target);
}

function strip({seen, colour}, x, top, theme) {
  const {step, change} = seen.columns;
  const warm = seen.allocation === "fixed" ? 0 : Math.min(seen.warmup, seen.steps);
  const end = step.length ? Math.max(warm, seen.end) : seen.steps;
  const none = !step.length;
  const growing = seen.allocation === "prunes" ? "pruning" : "growth";
  const phases = none
    ? [[0, warm, "warm-up", theme.grid], [warm, seen.steps, "", theme.faint]]
    : [[0, warm, "warm-up", theme.grid], [warm, end, growing, mixColours(colour, theme.background, 0.85)], [end, seen.steps, "final", theme.faint]];
  const bands = phases.filter(([from, to]) => to > from).map(([from, to, name, fill]) => {
    const [left, right] = [x.at(from), x.at(to)];
    const label = name && right - left > ROOM_FOR_NAME ? `<text x="${(left + 5).toFixed(1)}" y="${top + 11}" class="quiet small">${name}</text>` : "";
    return `<rect x="${left.toFixed(1)}" y="${top}" width="${(right - left).toFixed(1)}" height="${STRIP}" fill="${fill}"/>${label}`;
  });
  if (none && seen.allocation !== "fixed") {
    const words = seen.refused ? "the budget would be final before the warm-up ends" : "no rank ever changes";
    bands.push(`<text x="${(x.from + x.to) / 2}" y="${top + 29}" class="middle" fill="${PLANTED_COLOUR}" font-weight="600">${words}</text>`);
  }
  return bands.join("") + bars(step, change, colour, x, top, theme);
}

function bars(steps, changes, colour, x, top, theme) {
  if (!steps.length) return "";
  let largest = 1;
  for (const change of changes) if (change > largest || -change > largest) largest = Math.abs(change);
  const spacing = steps.length > 1 ? x.at(steps[1]) - x.at(steps[0]) : 99;
  const floor = top + STRIP - 2;
  let path = "";
  let [column, tallest] = [-1, 0];
  const put = () => { if (column >= 0) path += `M${column} ${floor}v${-Math.max(1.5, (BAR * tallest) / largest).toFixed(1)}`; };
  for (let i = 0; i < steps.length; i += 1) {
    const here = Math.round(x.at(steps[i]) * 2) / 2;
    if (here !== column) { put(); tallest = 0; }
    column = here;
    tallest = Math.max(tallest, Math.abs(changes[i]));
  }
  put();
  const width = Math.max(1, Math.min(7, spacing * 0.6));
  let numbers = "";
  let written = -Infinity;
  for (let i = 0; i < steps.length && spacing >= ROOM_FOR_NUMBER; i += 1) {
    const at = x.at(steps[i]);
    if (at - written < ROOM_FOR_NUMBER) continue;
    written = at;
    const height = Math.max(1.5, (BAR * Math.abs(changes[i])) / largest);
    numbers += `<text x="${at.toFixed(1)}" y="${(floor - height - 3).toFixed(1)}" class="middle small">${signed(changes[i])}</text>`;
  }
  return `<path d="${path}" stroke="${colour}" stroke-width="${width.toFixed(1)}" fill="none"/>${numbers}<path d="M${x.from} ${floor}H${x.to}" stroke="${theme.grid}"/>`;
}

// +3, −2, 0
export function signed(change) {
  return change === 0 ? "0" : `${change < 0 ? "−" : "+"}${Math.abs(change).toLocaleString("en")}`;
}
