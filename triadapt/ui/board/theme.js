// Colours and fonts of the page around the board, and the Plotly settings that every chart shares.
import {pictureButtons} from "./pictures.js";

const THEME_DARK = {text: "#fafafa", background: "#0e1117", second: "#262730", primary: "#56B4E9"};
const THEME_LIGHT = {text: "#31333f", background: "#ffffff", second: "#f0f2f6", primary: "#0072B2"};

// Of planted truth: vermillion of the Okabe-Ito palette, seen on both ends of cividis and used by no method.
export const PLANTED_COLOUR = "#D55E00";
// Cividis, evenly spaced; given to Plotly and used for the drafts painted while the scrubber moves, so that they agree.
const CIVIDIS = ["#00224e", "#123570", "#3b496c", "#575d6d", "#707173", "#8a8678", "#a59c74", "#c3b369", "#e1cc55", "#fee838"];
export const RANK_SCALE = CIVIDIS.map((colour, i) => [i / (CIVIDIS.length - 1), colour]);
export const DASH_ARRAYS = {solid: "", dash: "7 4", dot: "2 3", dashdot: "8 3 2 3", longdash: "11 4", longdashdot: "11 3 2 3"};

// Colours now in force: Streamlit's variables where there are any, else the system's choice of light or dark.
export function readTheme(element) {
  const style = getComputedStyle(element);
  const dark = window.matchMedia("(prefers-color-scheme: dark)").matches;
  const fallback = dark ? THEME_DARK : THEME_LIGHT;
  const read = (name, other) => style.getPropertyValue(name).trim() || other;
  const theme = {
    text: read("--st-text-color", fallback.text),
    background: read("--st-background-color", fallback.background),
    second: read("--st-secondary-background-color", fallback.second),
    primary: read("--st-primary-color", fallback.primary),
    font: read("--st-font", '"Source Sans", "Source Sans 3", "Source Sans Pro", system-ui, sans-serif'),
  };
  theme.dark = brightness(theme.background) < 128;
  theme.quiet = mixColours(theme.text, theme.background, 0.42);
  theme.grid = mixColours(theme.text, theme.background, 0.88);
  theme.grey = mixColours(theme.text, theme.background, 0.62);
  theme.faint = mixColours(theme.text, theme.background, 0.93);
  return theme;
}

export function applyTheme(element, theme) {
  for (const key of ["text", "background", "second", "primary", "font", "quiet", "grid", "grey", "faint"]) {
    element.style.setProperty(`--tri-${key}`, theme[key]);
  }
  element.dataset.theme = theme.dark ? "dark" : "light";
}

function colourParts(colour) {
  const short = /^#([0-9a-f])([0-9a-f])([0-9a-f])$/i.exec(colour);
  if (short) return short.slice(1).map((digit) => parseInt(digit + digit, 16));
  const long = /^#([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})/i.exec(colour);
  if (long) return long.slice(1).map((pair) => parseInt(pair, 16));
  const numbers = (colour.match(/[\d.]+/g) || ["128", "128", "128"]).map(Number);
  return numbers.slice(0, 3);
}

// From 0 (black) to 255.
export function brightness(colour) {
  const [r, g, b] = colourParts(colour);
  return 0.3 * r + 0.59 * g + 0.11 * b;
}

// `share` of the way from colour a to colour b.
export function mixColours(a, b, share) {
  const [from, to] = [colourParts(a), colourParts(b)];
  return `rgb(${from.map((value, i) => Math.round(value + (to[i] - value) * share)).join(",")})`;
}

// Colour of a share from 0 to 1 of the rank scale.
export function rankColour(share) {
  const place = Math.max(0, Math.min(1, share)) * (CIVIDIS.length - 1);
  const low = Math.min(Math.floor(place), CIVIDIS.length - 2);
  return mixColours(CIVIDIS[low], CIVIDIS[low + 1], place - low);
}

// A method's colour that stands out from the background in either theme.
export function methodColour(run, theme) {
  const colour = run.started ? run.started.colour : theme.grey;
  return theme.dark ? mixColours(colour, "#ffffff", 0.22) : colour;
}

// Settings of the chart of the panel `name`; `zooms` false where there is nothing to zoom.
export function chartConfig(name, zooms = true) {
  return {
    displaylogo: false,
    responsive: false,
    modeBarButtons: [[...pictureButtons(name), ...(zooms ? ["resetScale2d"] : [])]],
    doubleClick: "reset",
    showTips: false,
  };
}

// Layout shared by all charts; `box` is the element that holds the chart.
export function chartLayout(theme, box, margin) {
  return {
    width: Math.max(box.clientWidth, 60),
    height: Math.max(box.clientHeight, 60),
    margin: {l: 46, r: 10, t: 8, b: 30, ...margin},
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: {family: theme.font, size: 12, color: theme.text},
    showlegend: false,
    hovermode: "closest",
    hoverlabel: {bgcolor: theme.second, bordercolor: theme.grey, font: {family: theme.font, size: 12, color: theme.text}},
    // With a ground of its own it covers the words and lines below it, instead of being printed over them.
    modebar: {bgcolor: theme.background, color: theme.grey, activecolor: theme.text, orientation: "h"},
    dragmode: "zoom",
    uirevision: "kept",
  };
}

export function chartAxis(theme, more) {
  return {
    gridcolor: theme.grid, linecolor: theme.grid, zeroline: false, ticks: "", tickfont: {size: 11, color: theme.quiet},
    automargin: false, ...more,
  };
}

// Name of a horizontal line, at its right end, legible above whatever runs below it. `at` is in units of the axis.
export function lineLabel(theme, text, at, below) {
  const [r, g, b] = colourParts(theme.background);
  return {
    text, x: 1, xref: "paper", y: at, yref: "y", xanchor: "right", yanchor: below ? "top" : "bottom", showarrow: false, borderpad: 1,
    font: {size: 11, color: theme.text}, bgcolor: `rgba(${r},${g},${b},0.85)`, yshift: below ? -1 : 1,
  };
}

// Format of the ticks of an axis over such values, which may be tiny: only with an exponent do they fit. Goes with
// `exponentformat: "e"`.
export function numberFormat(values) {
  return values.every((value) => Math.abs(value) < 1e-3) ? "" : "~g";
}

// A number as people write it: 3 significant digits, no trailing noise.
export function tidy(value) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1e5 || size < 1e-4) return value.toExponential(1).replace("e+", "e").replace("-", "−").replace("e-", "e−");
  return String(Number(value.toPrecision(3))).replace("-", "−");
}

export function percent(value) {
  return value === null || value === undefined ? "–" : `${Math.round(value * 100)} %`;
}

export function element(tag, properties, ...children) {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(properties || {})) {
    if (key === "dataset") Object.assign(node.dataset, value);
    else if (key in node && key !== "role") node[key] = value;
    else node.setAttribute(key, value);
  }
  node.append(...children);
  return node;
}

// A small list to choose from. options: value to label; chosen(value) is called when the visitor picks.
export function chooser(label, options, chosen) {
  const node = element("select", {className: "tri-select", title: label},
    ...Object.entries(options).map(([value, text]) => element("option", {value}, text)));
  node.setAttribute("aria-label", label);
  node.addEventListener("change", () => chosen(node.value));
  return node;
}

// A chart in its section: heading, one sentence for those who cannot see it, the box Plotly draws in.
export function chartSection(testid, title, className) {
  const note = element("span", {className: "tri-note"});
  const heading = element("h3", {}, title);
  const head = element("header", {}, heading, note);
  const box = element("div", {className: "tri-chart"});
  const holder = element("div", {className: `tri-holder ${className || ""}`, role: "img"}, box);
  const section = element("section", {className: `tri-panel tri-${testid}`, dataset: {testid}}, head, holder);
  const describe = (text) => {
    if (holder.getAttribute("aria-label") !== text) holder.setAttribute("aria-label", text);
  };
  return {section, head, heading, note, box, holder, describe};
}

// Label of a matrix, the same in every panel and every run.
export function matrixLabel(matrix) {
  return `L${matrix.layer}.${matrix.module}`;
}

// Size of a matrix in words. A log of ranks from elsewhere tells none.
export function shapeWords({shape}) {
  return shape && shape[0] ? shape.join(" × ") : "size not recorded";
}

// Width that the longest of these labels takes at the charts' usual size, about, in pixels.
export function labelWidth(labels) {
  return 6.2 * Math.max(0, ...labels.map((label) => label.length));
}

// How labels stand below bars that are `per` pixels apart: flat if they fit, else upright; `room`: pixels they need.
export function barLabels(labels, per) {
  const width = labelWidth(labels);
  return width + 4 < per ? {angle: 0, room: 24} : {angle: -90, room: Math.min(120, Math.max(54, width + 10))};
}

// Which other matrices have the same factors, in words.
export function sharedWords(run, index) {
  const group = (run.started.shared || []).find((one) => one.includes(index));
  if (!group || group.length < 2) return "";
  const shown = group.filter((i) => i !== index).slice(0, 3).map((i) => matrixLabel(run.started.matrices[i]));
  const more = group.length - 1 - shown.length;
  return `, shares its factors with ${shown.join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
}
