// The picture of the lab: total rank and trainable parameters as stairs, and a lane a line with its phases and events. One
// SVG, written anew at every move of a slider: a few milliseconds, where a chart library takes tens.
import {DASH_ARRAYS, element} from "../board/theme.js";
import {Axis, compact, escape} from "./axis.js";
import {phaseLanes} from "./lanes.js";

const TOP = 20;
const RANK_HEIGHT = 220;
const PARAMETER_HEIGHT = 150;
const GAP = 30;
const SNAP_PX = 8;

export class Picture {
  constructor() {
    this.svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    this.svg.setAttribute("role", "img");
    this.cursor = element("div", {className: "lab-cursor", hidden: true});
    this.tip = element("div", {className: "lab-tip", hidden: true});
    this.section = element("section", {className: "lab-picture", dataset: {testid: "lab-picture"}}, this.svg, this.cursor, this.tip);
    this.section.addEventListener("pointermove", (event) => this.#point(event));
    this.section.addEventListener("pointerleave", () => { this.cursor.hidden = this.tip.hidden = true; });
  }

  // lines: {label, colour, dash, width, seen, counts}; counts may be null where shapes are not known.
  draw(lines, values, steps, theme) {
    const width = Math.max(280, this.section.clientWidth);
    this.lines = lines;
    this.x = new Axis(0, steps, width < 560 ? 46 : 60, width - 14);
    const parts = [this.#warmup(values.warmup, steps, theme)];
    let top = TOP;
    const ranks = new Axis(0, 1.06 * Math.max(1, ...lines.map((line) => highest(line.seen))), top + RANK_HEIGHT, top);
    parts.push(this.#stairs("Total rank", ranks, lines, theme, (line) => [line.seen.start, line.seen.columns.total]));
    parts.push(this.#target(lines, ranks, theme));
    top += RANK_HEIGHT + GAP;
    const known = lines.filter((line) => line.counts);
    if (known.length) {
      const title = "Trainable parameters" + (known.some(spread) ? ": evenly spread, shaded: whoever grows" : "");
      const entries = new Axis(0, 1.06 * Math.max(1, ...known.flatMap(({counts: {most}}) => [most[0], most[most.length - 1]])), top + PARAMETER_HEIGHT, top);
      parts.push(this.#stairs(title, entries, known, theme, (line) => [line.counts.even[0], line.counts.even.slice(1)], spread));
      top += PARAMETER_HEIGHT + GAP;
    }
    this.bottom = top - GAP + 4;
    parts.push(this.#steps(this.bottom, theme, width));
    const lanes = phaseLanes(lines, this.x, this.bottom + 46, theme);
    this.height = lanes.bottom + 6;
    parts.push(lanes.text);
    this.svg.setAttribute("viewBox", `0 0 ${width} ${this.height}`);
    this.svg.setAttribute("width", width);
    this.svg.setAttribute("height", this.height);
    this.svg.setAttribute("aria-label", lines.length ? lines.map(inWords).join("; ") : "No method is chosen");
    this.svg.innerHTML = parts.join("");
    this.cursor.style.height = `${this.height}px`;
    if (!this.tip.hidden) this.tip.hidden = this.cursor.hidden = true;
  }

  #warmup(warmup, steps, theme) {
    if (!warmup) return "";
    const end = this.x.at(Math.min(warmup, steps));
    const label = end - this.x.from > 60 ? `<text x="${this.x.from + 6}" y="${TOP + RANK_HEIGHT - 7}" class="quiet">warm-up</text>` : "";
    const known = this.lines.some((line) => line.counts);
    const bottom = TOP + RANK_HEIGHT + (known ? GAP + PARAMETER_HEIGHT : 0);
    return `<rect x="${this.x.from}" y="${TOP}" width="${(end - this.x.from).toFixed(1)}" height="${bottom - TOP}" fill="${theme.faint}"/>${label}`;
  }

  #stairs(title, y, lines, theme, of, shaded = () => false) {
    const [top, series] = [y.to, lines.map(of)];
    const grid = y.ticks(y.from - y.to < 180 ? 3 : 5).map((tick) => {
      const at = y.at(tick).toFixed(1);
      return `<path d="M${this.x.from} ${at}H${this.x.to}" stroke="${theme.grid}"/><text x="${this.x.from - 6}" y="${+at + 4}" class="tick end">${compact(tick)}</text>`;
    });
    const bands = lines.filter(shaded).map((line) => this.#band(line, y));
    const paths = lines.map((line, i) => `<path d="${this.#path(series[i][0], line.seen.columns.step, series[i][1], y)}H${this.x.to}" fill="none" stroke="${line.colour}"
      stroke-width="${line.width}" stroke-dasharray="${DASH_ARRAYS[line.dash]}" stroke-linejoin="round"/>`);
    return `<text x="${this.x.from}" y="${top - 7}" class="title">${title}</text>${grid.join("")}${bands.join("")}${paths.join("")}`;
  }

  // Stairs with at most two points for each pixel of width: of the events in one half pixel the last counts.
  #path(start, steps, totals, y) {
    let path = `M${this.x.from} ${y.at(start).toFixed(1)}`;
    this.#eachColumn(steps, (i, x) => { path += `H${x.toFixed(1)}V${y.at(totals[i]).toFixed(1)}`; });
    return path;
  }

  #band(line, y) {
    const {least, most} = line.counts;
    const {step} = line.seen.columns;
    let lower = "";
    let before = least[0];
    this.#eachColumn(step, (i, x) => {
      lower = `V${y.at(least[i + 1]).toFixed(1)}H${x.toFixed(1)}V${y.at(before).toFixed(1)}${lower}`;
      before = least[i + 1];
    });
    return `<path d="${this.#path(most[0], step, most.slice(1), y)}H${this.x.to}${lower}H${this.x.from}Z" fill="${line.colour}" opacity="0.13"/>`;
  }

  #eachColumn(steps, visit) {
    const {from, scale} = this.x;
    for (let i = 0; i < steps.length; i += 1) {
      const here = Math.round((from + steps[i] * scale) * 2);
      if (i + 1 < steps.length && Math.round((from + steps[i + 1] * scale) * 2) === here) continue;
      visit(i, from + steps[i] * scale);
    }
  }

  #target(lines, y, theme) {
    if (!lines.length) return "";
    const at = y.at(lines[0].seen.target).toFixed(1);
    return `<path d="M${this.x.from} ${at}H${this.x.to}" stroke="${theme.text}" stroke-dasharray="1 4" opacity="0.7"/>
      <text x="${this.x.to}" y="${+at - 5}" class="end halo">budget ${lines[0].seen.target.toLocaleString("en")}</text>`;
  }

  #steps(top, theme, width) {
    const ticks = this.x.ticks(width < 560 ? 4 : 8).filter((tick) => this.x.to - this.x.at(tick) > 60);
    const marks = ticks.map((tick) => `<text x="${this.x.at(tick).toFixed(1)}" y="${top + 12}" class="tick middle">${compact(tick)}</text>`);
    return `${marks.join("")}<text x="${this.x.to}" y="${top + 12}" class="tick end">step ${this.x.high.toLocaleString("en")}</text>`;
  }

  #point(event) {
    if (!this.lines || !this.lines.length) return;
    const box = this.section.getBoundingClientRect();
    const across = event.clientX - box.left;
    if (across < this.x.from - 4 || across > this.x.to + 4) { this.cursor.hidden = this.tip.hidden = true; return; }
    const step = this.#snapped(Math.max(0, Math.min(this.x.high, Math.round(this.x.back(across)))));
    const at = this.x.at(step);
    this.cursor.hidden = this.tip.hidden = false;
    this.cursor.style.transform = `translateX(${at.toFixed(1)}px)`;
    this.tip.innerHTML = `<b>step ${step.toLocaleString("en")}</b> (${((100 * step) / this.x.high).toFixed(0)} %)${this.lines.map((line) => tipRow(line, step)).join("")}`;
    const left = at + 14 + this.tip.offsetWidth > box.width ? at - 14 - this.tip.offsetWidth : at + 14;
    this.tip.style.left = `${Math.max(0, left)}px`;
    this.tip.style.top = `${Math.max(0, Math.min(event.clientY - box.top - 20, this.height - this.tip.offsetHeight))}px`;
  }

  // The nearest event, when the mouse is close to one.
  #snapped(step) {
    let [best, away] = [step, SNAP_PX];
    for (const {seen} of this.lines) {
      const {step: steps} = seen.columns;
      const next = firstAbove(steps, step);
      for (const i of [next - 1, next]) {
        if (i < 0 || i >= steps.length) continue;
        const distance = Math.abs(this.x.at(steps[i]) - this.x.at(step));
        if (distance < away) [best, away] = [steps[i], distance];
      }
    }
    return best;
  }
}

// How many events are at or before a step.
function firstAbove(steps, step) {
  let [low, high] = [0, steps.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (steps[middle] <= step) low = middle + 1;
    else high = middle;
  }
  return low;
}

// Whether it matters which matrices grow. At the end of growth it does if it ever does.
function spread({counts, seen}) {
  const last = counts.least.length - 1;
  return counts.least[last] < counts.most[last] || (seen.allocation === "prunes" && counts.least.some((least, i) => least < counts.most[i]));
}

function highest(seen) {
  let most = Math.max(seen.start, seen.target);
  for (const total of seen.columns.total) if (total > most) most = total;
  return most;
}

function tipRow(line, step) {
  const {seen, counts} = line;
  const held = firstAbove(seen.columns.step, step);
  const total = held ? seen.columns.total[held - 1] : seen.start;
  const parameters = counts ? `, ${counts.even[held].toLocaleString("en")} parameters${counts.least[held] < counts.most[held] ? ` (${compact(counts.least[held])} to ${compact(counts.most[held])})` : ""}` : "";
  const fires = held && seen.columns.step[held - 1] === step;
  return `<div><i style="background:${line.colour}"></i>${escape(line.label)}: total rank ${total.toLocaleString("en")}${parameters}${fires ? `<br><em>${eventWords(seen, held - 1)}</em>` : ""}</div>`;
}

// What one event may do.
export function eventWords(seen, i) {
  const {change, allowed} = seen.columns;
  if (seen.allocation === "prunes") return `event: down to ${allowed[i].toLocaleString("en")} ranks (${change[i] ? `−${-change[i]}` : "none to take"})`;
  return `event: up to ${allowed[i]} ${allowed[i] === 1 ? "matrix" : "matrices"}, +${change[i]} ${change[i] === 1 ? "rank" : "ranks"}`;
}

function inWords({label, seen}) {
  const {step, total} = seen.columns;
  return `${label}: ${step.length} events, total rank ${seen.start} to ${total.length ? total[total.length - 1] : seen.start}, budget ${seen.target}`;
}
