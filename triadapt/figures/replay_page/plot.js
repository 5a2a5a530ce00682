// Stands where the live board has Plotly: draws what the board's panels ask for as SVG. No zoom, no tools; hover, clicks and
// the geometry that the board's cursors read are there.
import {PlotAxis, escaped, formatted} from "./axes.js";
import {cellAt, extentOf, joinedExtent, scaled, traceSvg, widthOf} from "./traces.js";

const DRAWN = ["scatter", "bar", "heatmap", undefined];
const REACH = 26; // pixels from the pointer to the point of a line that is told about

export const SmallPlotly = {
  react(box, data, layout) {
    if (!box.on) prepare(box);
    box.data = data;
    box.layout = layout;
    draw(box);
    return Promise.resolve(box);
  },
  newPlot(box, data, layout) { return SmallPlotly.react(box, data, layout); },
  // update: {key: [value of each of the traces]}.
  restyle(box, update, traces) {
    const chosen = traces === undefined ? box.data.map((_, i) => i) : [].concat(traces);
    for (const [key, values] of Object.entries(update)) {
      chosen.forEach((trace, i) => {
        const path = key.split(".");
        const last = path.pop();
        const holder = path.reduce((value, name) => (value[name] ??= {}), box.data[trace]);
        holder[last] = Array.isArray(values) ? values[i % values.length] : values;
      });
    }
    draw(box);
    return Promise.resolve(box);
  },
  relayout(box, update) {
    for (const [key, value] of Object.entries(update)) {
      const path = key.split(".");
      const last = path.pop();
      path.reduce((holder, name) => (holder[name] ??= {}), box.layout)[last] = value;
    }
    draw(box);
    box.listeners.plotly_relayout?.forEach((listener) => listener(update));
    return Promise.resolve(box);
  },
  purge(box) { box.replaceChildren(); },
};

function prepare(box) {
  box.listeners = {};
  box.on = (name, listener) => (box.listeners[name] ??= []).push(listener);
  box.tip = document.createElement("div");
  box.tip.className = "tri-tip";
  box.tip.hidden = true;
  box.picture = document.createElement("div");
  box.append(box.picture, box.tip);
  const tell = (name, hit) => box.listeners[name]?.forEach((listener) => listener({points: hit ? [hit.point] : []}));
  box.addEventListener("pointermove", (event) => {
    const hit = hitAt(box, event);
    showTip(box, hit);
    const key = hit ? `${hit.point.curveNumber} ${hit.point.pointNumber}` : null;
    if (key === box.hit) return;
    box.hit = key;
    tell(hit ? "plotly_hover" : "plotly_unhover", hit);
  });
  box.addEventListener("pointerleave", () => {
    showTip(box, null);
    if (box.hit) tell("plotly_unhover", null);
    box.hit = null;
  });
  box.addEventListener("click", (event) => {
    const hit = hitAt(box, event);
    if (hit) tell("plotly_click", hit);
  });
}

function axesOf(data, layout) {
  const {width, height, margin} = layout;
  const inner = {x: width - margin.l - margin.r, y: height - margin.t - margin.b};
  const full = {};
  for (const id of Object.keys(layout).filter((key) => /^[xy]axis\d*$/.test(key))) {
    const letter = id[0];
    const name = id.replace("axis", "");
    const options = layout[id] || {};
    const [from, to] = options.domain || [0, 1];
    const offset = letter === "x" ? margin.l + from * inner.x : margin.t + (1 - to) * inner.y;
    const own = data.filter((trace) => (trace[`${letter}axis`] || letter) === name && DRAWN.includes(trace.type));
    const extent = joinedExtent(own.map((trace) => extentOf(trace, letter === "y")));
    full[id] = new PlotAxis(name, options, extent, offset, Math.max(1, (to - from) * inner[letter]));
  }
  return full;
}

const axisNamed = (full, name) => full[name.replace(/^([xy])/, "$1axis")];
export const ofTrace = (full, trace) => [axisNamed(full, trace.xaxis || "x"), axisNamed(full, trace.yaxis || "y")];

function draw(box) {
  const {data, layout} = box;
  const full = axesOf(data, layout);
  box._fullLayout = {...layout, ...full};
  const font = layout.font || {size: 12, color: "#333", family: "sans-serif"};
  const grid = Object.values(full).map((axis) => {
    const anchor = axisNamed(full, axis.options.anchor || (axis.vertical ? "x" : "y") + axis.id.slice(1)) || full[axis.vertical ? "xaxis" : "yaxis"];
    return anchor ? axis.svg(anchor, font) : "";
  });
  const shapes = (below) => (layout.shapes || []).filter((shape) => (shape.layer === "below") === below).map((shape) => shapeSvg(shape, full, layout));
  const traces = data.map((trace) => {
    const [x, y] = ofTrace(full, trace);
    return x && y ? traceSvg(trace, x, y, layout) : "";
  });
  const missing = data.some((trace) => !DRAWN.includes(trace.type));
  const sorry = missing ? `<text x="50%" y="50%" text-anchor="middle" fill="${font.color}">Drawn in the app only.</text>` : "";
  box.picture.innerHTML = `<svg xmlns="http://www.w3.org/2000/svg" width="${layout.width}" height="${layout.height}" font-family="${escaped(font.family)}" font-size="${font.size}">`
    + [...grid, ...shapes(true), ...traces, ...shapes(false), colourBar(layout), ...(layout.annotations || []).map((note) => noteSvg(note, full, layout, font)), sorry].join("") + "</svg>";
}

// Where `value` of a shape or note lies; "paper" counts in shares of the inner area. Notes give logarithms, shapes do not.
function placed(value, ref, letter, full, layout, linear) {
  const {width, height, margin} = layout;
  if (!ref || ref === "paper") {
    return letter === "x" ? margin.l + value * (width - margin.l - margin.r) : margin.t + (1 - value) * (height - margin.t - margin.b);
  }
  const axis = axisNamed(full, ref);
  return linear ? axis.atLinear(value) : axis.at(value);
}

function shapeSvg(shape, full, layout) {
  const at = (key, letter) => placed(shape[key], shape[`${letter}ref`] || letter, letter, full, layout, false).toFixed(1);
  const {color = "#888", width = 1, dash} = shape.line || {};
  const dashes = {dot: "1.5 3", dash: "6 4", dashdot: "6 3 1.5 3", longdash: "10 4", longdashdot: "10 3 1.5 3"}[dash] || "";
  const look = `stroke="${escaped(color)}" stroke-width="${width}" stroke-dasharray="${dashes}" fill="${escaped(shape.fillcolor || "none")}"`;
  const [x0, y0, x1, y1] = [at("x0", "x"), at("y0", "y"), at("x1", "x"), at("y1", "y")];
  return `<path d="${shape.type === "rect" ? `M${x0} ${y0}H${x1}V${y1}H${x0}Z` : `M${x0} ${y0}L${x1} ${y1}`}" ${look}/>`;
}

// Plotly's little markup: bold, italic, line breaks; everything else is text.
function marked(text) {
  return String(text).split(/(<\/?[bi]>|<br\s*\/?>)/i).filter(Boolean);
}

function noteSvg(note, full, layout, font) {
  const size = (note.font && note.font.size) || font.size;
  const lines = [[]];
  let bold = false;
  for (const part of marked(note.text)) {
    if (/^<br/i.test(part)) lines.push([]);
    else if (/^<\/?[bi]>$/i.test(part)) bold = /b/i.test(part) ? !part.startsWith("</") : bold;
    else lines[lines.length - 1].push(bold ? `<tspan font-weight="600">${escaped(part)}</tspan>` : escaped(part));
  }
  const x = placed(note.x, note.xref || "x", "x", full, layout, true) + (note.xshift || 0);
  const y = placed(note.y, note.yref || "y", "y", full, layout, true) - (note.yshift || 0);
  const anchor = {left: "start", right: "end"}[note.xanchor] || "middle";
  const height = lines.length * size * 1.25;
  const top = note.yanchor === "bottom" ? y - height : note.yanchor === "top" ? y : y - height / 2;
  const halo = note.bgcolor ? `paint-order="stroke" stroke="${escaped(note.bgcolor)}" stroke-width="3" stroke-linejoin="round"` : "";
  return lines.map((line, i) => `<text x="${x.toFixed(1)}" y="${(top + (i + 0.85) * size * 1.25 - 1).toFixed(1)}" text-anchor="${anchor}" font-size="${size}" fill="${escaped((note.font && note.font.color) || font.color)}" ${halo}>${line.join("")}</text>`).join("");
}

function colourBar(layout) {
  const axis = layout.coloraxis;
  if (!axis || !axis.colorbar) return "";
  const {width, height, margin} = layout;
  const {thickness = 10, len = 1, dtick = 1, tickfont = {}, title = {}} = axis.colorbar;
  const inner = height - margin.t - margin.b;
  const [left, top, tall] = [width - margin.r + 6, margin.t + ((1 - len) / 2) * inner + 8, len * inner - 8];
  const parts = [];
  for (let i = 0; i < 40; i += 1) {
    const value = axis.cmin + ((axis.cmax - axis.cmin) * (i + 0.5)) / 40;
    parts.push(`<rect x="${left}" y="${(top + tall * (1 - (i + 1) / 40)).toFixed(1)}" width="${thickness}" height="${(tall / 40 + 0.6).toFixed(1)}" fill="${scaled(axis.colorscale, value, axis.cmin, axis.cmax)}"/>`);
  }
  for (let value = axis.cmin; value <= axis.cmax; value += dtick) {
    parts.push(`<text x="${left + thickness + 4}" y="${(top + tall * (1 - (value - axis.cmin) / (axis.cmax - axis.cmin || 1))).toFixed(1)}" dy="0.35em" font-size="${tickfont.size || 11}" fill="${tickfont.color || "#888"}">${formatted(value)}</text>`);
  }
  parts.push(`<text x="${left}" y="${top - 6}" font-size="${(title.font && title.font.size) || 11}" fill="${tickfont.color || "#888"}">${escaped(title.text || "")}</text>`);
  return parts.join("");
}

// The cell, bar or nearest point under the pointer: {point, text, x, y}, null where there is none.
function hitAt(box, event) {
  if (!box.data) return null;
  const frame = box.getBoundingClientRect();
  const [px, py] = [event.clientX - frame.left, event.clientY - frame.top];
  let best = null;
  box.data.forEach((trace, curveNumber) => {
    if (trace.hoverinfo === "skip") return;
    const [x, y] = ofTrace(box._fullLayout, trace);
    if (!x || !y || px < x._offset - 4 || px > x._offset + x._length + 4 || py < y._offset - 4 || py > y._offset + y._length + 4) return;
    if (trace.type === "heatmap") {
      trace.z.forEach((cells, row) => Array.from(cells).forEach((z, column) => {
        const [cx, cy] = [cellAt(trace.x, column), cellAt(trace.y, row)];
        const [left, right, a, b] = [x.at(cx - 0.5), x.at(cx + 0.5), y.at(cy - 0.5), y.at(cy + 0.5)];
        if (px < left || px > right || py < Math.min(a, b) || py > Math.max(a, b) || z === null) return;
        const text = trace.hovertext ? trace.hovertext[row][column] : filled(trace, {x: cx, y: cy, z});
        best = {far: 0, point: {curveNumber, pointNumber: [row, column], x: cx, y: cy}, text, x: (left + right) / 2, y: Math.min(a, b)};
      }));
      return;
    }
    if (!["scatter", "bar", undefined].includes(trace.type)) return;
    const xs = trace.x || Array.from(trace.y, (_, i) => i);
    for (let i = 0; i < xs.length; i += 1) {
      const value = trace.y[i];
      if (value === null || !Number.isFinite(value) || (y.log && value <= 0)) continue;
      const [ax, ay] = [x.at(xs[i]), y.at(value)];
      const half = trace.type === "bar" ? Math.abs(x.at(xs[i] + widthOf(trace, i) / 2) - ax) : 0;
      const far = trace.type === "bar" ? (Math.abs(px - ax) <= Math.max(half, 0.5) ? 1 : Infinity) : Math.hypot(px - ax, py - ay);
      if (far > REACH || (best && far >= best.far)) continue;
      const text = trace.hovertext ? trace.hovertext[i] : trace.hoverinfo === "x" ? `step ${xs[i]}, planned`
        : filled(trace, {x: xs[i], y: value, customdata: trace.customdata && trace.customdata[i]});
      best = {far, point: {curveNumber, pointNumber: i, x: xs[i], y: value}, text, x: ax, y: ay};
    }
  });
  return best;
}

function filled(trace, values) {
  const template = String(trace.hovertemplate || "%{y:.4g}").replace(/<extra>.*$/s, "");
  return template.replace(/%\{(\w+)(?::([^}]+))?\}/g, (_, name, format) => formatted(values[name], format));
}

function showTip(box, hit) {
  box.tip.hidden = !hit || !hit.text;
  if (box.tip.hidden) return;
  box.tip.replaceChildren();
  let inside = box.tip;
  for (const part of marked(hit.text)) {
    if (/^<br/i.test(part)) box.tip.append(document.createElement("br"));
    else if (/^<\//.test(part)) inside = box.tip;
    else if (/^<[bi]>$/i.test(part)) {
      inside = document.createElement(part.slice(1, 2));
      box.tip.append(inside);
    } else inside.append(part);
  }
  const left = Math.max(0, Math.min(hit.x + 8, box.clientWidth - box.tip.offsetWidth - 2));
  const above = hit.y - box.tip.offsetHeight - 8;
  box.tip.style.transform = `translate(${left.toFixed(0)}px, ${(above < 0 ? Math.min(hit.y + 14, box.clientHeight - box.tip.offsetHeight) : above).toFixed(0)}px)`;
}
