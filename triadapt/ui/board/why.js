// Why did it grow? One allocation explained: every importance, the threshold, who was chosen, in a picture and in words.
import {chartAxis, chartConfig, chartLayout, chartSection, element, lineLabel, matrixLabel, methodColour, tidy} from "./theme.js";
import {lastAtOrBefore} from "./frames.js";

const WHY_LABELLED = 72;
const WHY_TOP = 60;
const WHY_THIN = 0.25;
const WHY_ORDINALS = ["", "", "second ", "third ", "fourth ", "fifth ", "sixth ", "seventh ", "eighth ", "ninth ", "tenth "];

function listed(words) {
  if (words.length < 2) return words.join("");
  return `${words.slice(0, -1).join(", ")} and ${words[words.length - 1]}`;
}

function ordinalOf(rank) {
  if (rank < WHY_ORDINALS.length) return WHY_ORDINALS[rank];
  const tail = rank % 100 > 10 && rank % 100 < 14 ? "th" : ["th", "st", "nd", "rd"][rank % 10] || "th";
  return `${rank}${tail} `;
}

function named(run, indices, most) {
  const names = indices.slice(0, most).map((i) => matrixLabel(run.started.matrices[i]));
  return indices.length > most ? `${names.join(", ")} and ${indices.length - most} more` : listed(names);
}

// One event in words, with its actual numbers. `event` null: nothing was decided yet.
export function whyWords(run, event) {
  const {label, allocation, planned, start_total: total} = run.started;
  const n = run.size;
  if (allocation === "fixed") {
    const ranks = Array.from(run.startRanks);
    const even = ranks.every((rank) => rank === ranks[0]);
    return `${label} gives every matrix ${even ? `rank ${ranks[0]}` : `its share of rank ${total}`} and never changes it.`;
  }
  if (!event) {
    const next = planned.length ? `the first is planned at step ${planned[0]}` : "and none is planned: the schedule never fires";
    return `${label} has not decided anything yet; ${next}.`;
  }
  return event.units.length ? unitWords(run, event) : growthWords(run, event, n);
}

function unitWords(run, event) {
  const lost = event.chosen.filter((i) => event.ranks[i] < event.before[i]);
  const gone = lost.reduce((sum, i) => sum + event.before[i] - event.ranks[i], 0);
  const regained = event.chosen.filter((i) => event.ranks[i] > event.before[i]);
  const names = lost.slice().sort((a, b) => (event.before[b] - event.ranks[b]) - (event.before[a] - event.ranks[a]))
    .slice(0, 4).map((i) => `${matrixLabel(run.started.matrices[i])} lost ${event.before[i] - event.ranks[i]}`);
  const more = lost.length > 4 ? ` and ${lost.length - 4} more lost some` : "";
  const back = regained.length ? ` ${named(run, regained, 3)} got rank back.` : "";
  const what = gone ? `${gone} ${gone === 1 ? "was" : "were"} pruned: ${names.join(", ")}${more}.` : "none was pruned.";
  return `Step ${event.t}, ${event.rule} rule: the budget keeps ${event.allowed} of ${event.units.length} triplets, those with `
    + `an importance of at least ${tidy(event.threshold)}; ${what}${back}`;
}

function growthWords(run, event, n) {
  const sorted = Array.from(event.scores, (_, i) => i).sort((a, b) => event.scores[b] - event.scores[a]);
  const chosen = event.chosen;
  const plain = (i) => matrixLabel(run.started.matrices[i]);
  let text = `Step ${event.t}, ${event.rule} rule: ${event.allowed} of ${n} matrices may grow; the ${ordinalOf(event.allowed)}`
    + `largest importance is ${tidy(event.threshold)}; `;
  if (!chosen.length) return `${text}no matrix grew${event.total >= run.started.target_total ? ": the budget is used up" : ""}.`;
  const names = chosen.slice(0, 5).map((i, at) => plain(i) + (at === 0 ? ` (${tidy(event.scores[i])})` : ""));
  text += `${chosen.length > 5 ? `${names.join(", ")} and ${chosen.length - 5} more` : listed(names)} reached it`;
  const missed = sorted.find((i) => !chosen.includes(i));
  const end = plantedWords(run, chosen);
  if (missed === undefined) return `${text}.${end}`;
  const gap = event.threshold - event.scores[missed];
  if (gap > 0) return `${text}; ${plain(missed)} missed it by ${tidy(gap)}.${end}`;
  return `${text}; ${plain(missed)} reached it too, but the budget allowed no more.${end}`;
}

// Was it needed? Known on the planted task only.
function plantedWords(run, chosen) {
  const {matrices} = run.started;
  if (!matrices.some((matrix) => matrix.planted)) return "";
  const needed = chosen.filter((i) => matrices[i].planted).length;
  if (chosen.length === 1) return needed ? " Rank is planted there: it was needed." : " Nothing is planted there.";
  return ` Rank is planted in ${needed || "none"} of these ${chosen.length}.`;
}

// Importance before the first event, in the form of an event that chose nobody.
function undecided(run, record) {
  const ranks = run.startRanks;
  return {t: record.t, scores: record.scores, threshold: NaN, chosen: [], before: ranks, ranks, units: []};
}

export class WhyPanel {
  constructor(board) {
    this.board = board;
    Object.assign(this, chartSection("why", "Why did it grow?"));
    this.words = element("p", {className: "tri-words"});
    this.section.insertBefore(this.words, this.holder);
    this.key = null;
  }

  draw(reasons) {
    const {focus: run, step} = this.board;
    if (!run || !run.started) { this.#blank("Nothing to explain yet."); return; }
    const at = run.eventAt(step);
    const event = at < 0 ? null : run.events[at];
    const before = event ? -1 : lastAtOrBefore(run.scores, step);
    const key = `${run.id} ${run.generation} ${at} ${before} ${this.board.pinned} ${this.board.hovered}`;
    if (key === this.key && !["size", "theme"].some((reason) => reasons.has(reason))) return;
    this.key = key;
    this.heading.textContent = run.started.allocation === "prunes" ? "Why was it pruned?" : "Why did it grow?";
    const words = whyWords(run, event);
    const ordinal = event ? `, event ${at + 1} of ${Math.max(run.started.planned.length, run.events.length)}` : "";
    const falls = event && event.scores.some((score) => score < 0) ? "; below zero: fell since the last event" : "";
    this.note.textContent = `${run.started.label}${ordinal}${falls}`;
    const shown = event || (before < 0 ? null : undecided(run, run.scores[before]));
    if (!shown || (!shown.scores.length && !shown.units.length)) { this.#blank(words); return; }
    this.words.textContent = words;
    this.describe(words);
    this.holder.hidden = false;
    const [bars, axis] = shown.units.length ? this.#units(run, shown) : this.#matrices(run, shown);
    this.#react(run, shown, bars, axis);
  }

  #blank(words) {
    this.words.textContent = words;
    this.describe(words);
    this.holder.hidden = true;
  }

  #matrices(run, event) {
    const order = Array.from(event.scores, (_, i) => i).sort((a, b) => event.scores[b] - event.scores[a]);
    const many = order.length > WHY_LABELLED;
    const chosen = new Set(event.chosen);
    const labels = order.map((i) => matrixLabel(run.started.matrices[i]));
    const x = order.map((_, place) => (many && place >= WHY_TOP ? WHY_TOP - 0.5 + (place - WHY_TOP + 0.5) * WHY_THIN : place));
    const shown = many ? WHY_TOP : order.length;
    this.labels = labels;
    const bars = {
      x, y: order.map((i) => event.scores[i]), width: order.map((_, place) => (many && place >= WHY_TOP ? WHY_THIN : 0.82)),
      marker: {
        color: order.map((i) => (chosen.has(i) ? methodColour(run, this.board.theme) : this.board.theme.grey)),
        line: {color: this.board.theme.text, width: labels.map((label) => this.#outline(label))},
      },
      hovertext: order.map((i) => `<b>${matrixLabel(run.started.matrices[i])}</b> importance ${tidy(event.scores[i])}<br>`
        + (event.before[i] === event.ranks[i] ? `stays at rank ${event.ranks[i]}` : `rank ${event.before[i]} → ${event.ranks[i]}`)),
    };
    const per = (this.box.clientWidth - 56) / (x[x.length - 1] + 1);
    const every = Math.max(1, Math.ceil(11 / per));
    const places = order.map((_, place) => place).filter((place) => place < shown && place % every === 0);
    const axis = {
      tickvals: places, ticktext: places.map((place) => labels[place]), tickangle: per > 46 ? 0 : -90,
      tickfont: {size: per * every < 13 ? 9 : 11, color: this.board.theme.quiet}, range: [-0.6, x[x.length - 1] + 0.6],
    };
    return [bars, axis];
  }

  #units(run, event) {
    const order = Array.from(event.units, (_, i) => i).sort((a, b) => event.units[b] - event.units[a]);
    const name = (i) => matrixLabel(run.started.matrices[event.unitMatrix[i]]);
    this.labels = order.map(name);
    const kept = order.map((_, place) => place < event.allowed);
    const bars = {
      x: order.map((_, place) => place), y: order.map((i) => event.units[i]), width: order.map(() => (order.length > 120 ? 1 : 0.82)),
      marker: {
        color: kept.map((stays) => (stays ? methodColour(run, this.board.theme) : this.board.theme.grey)),
        line: {color: this.board.theme.text, width: this.labels.map((label) => this.#outline(label))},
      },
      hovertext: order.map((i, place) => `triplet of <b>${name(i)}</b> importance ${tidy(event.units[i])}<br>${kept[place] ? "kept" : "pruned"}`),
    };
    return [bars, {
      title: {text: "triplets, most important first", font: {size: 11, color: this.board.theme.quiet}, standoff: 4},
      range: [-0.6, order.length - 0.4], nticks: 8,
    }];
  }

  #outline(label) {
    return label === this.board.hovered ? 2.5 : label === this.board.pinned ? 1.5 : 0;
  }

  #react(run, event, bars, axis) {
    const {theme, Plotly} = this.board;
    const layout = chartLayout(theme, this.box, {l: 50, r: 10, t: 6, b: event.units.length ? 34 : axis.tickangle ? 62 : 24});
    layout.bargap = 0;
    layout.uirevision = run.id;
    layout.xaxis = chartAxis(theme, {showgrid: false, ...axis});
    layout.yaxis = chartAxis(theme, {rangemode: "tozero", nticks: 5, tickformat: "~g", exponentformat: "power", fixedrange: true});
    layout.shapes = [{
      type: "line", xref: "paper", x0: 0, x1: 1, y0: event.threshold, y1: event.threshold, line: {color: theme.text, width: 1.3, dash: "dash"},
    }];
    layout.annotations = [lineLabel(theme, `threshold ${tidy(event.threshold)}`, event.threshold)];
    if (!Number.isFinite(event.threshold)) layout.shapes = layout.annotations = [];
    Plotly.react(this.box, [{type: "bar", hoverinfo: "text", textposition: "none", ...bars}], layout, chartConfig("why"));
    if (this.bound) return;
    this.bound = true;
    this.box.on("plotly_hover", (e) => this.board.hover(this.labels[e.points[0].pointNumber]));
    this.box.on("plotly_unhover", () => this.board.hover(null));
    this.box.on("plotly_click", (e) => this.board.pin(this.labels[e.points[0].pointNumber]));
  }
}
