// The traces of the replay's charts as SVG text: lines with markers, bars, heatmaps. Others are left out.
import {escaped, formatted} from "./axes.js";
import {DASH_ARRAYS, brightness, mixColours} from "./theme.js";

const MARKERS = {
  "triangle-up": (r) => `M0 ${-r}L${r} ${r}H${-r}Z`, "triangle-down": (r) => `M0 ${r}L${r} ${-r}H${-r}Z`, "line-ns-open": (r) => `M0 ${-r}V${r}`,
  square: (r) => `M${-r} ${-r}H${r}V${r}H${-r}Z`, diamond: (r) => `M0 ${-r}L${r} 0L0 ${r}L${-r} 0Z`,
  circle: (r) => `M${-r} 0a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0`,
};

const pick = (value, i, other) => (value === null || value === undefined ? other : Array.isArray(value) || ArrayBuffer.isView(value) ? value[i] : value);
const plain = (value) => value !== null && value !== undefined && Number.isFinite(Number(value));
const xsOf = (trace) => trace.x || Array.from(trace.y || [], (_, i) => i);
export const widthOf = (trace, i) => pick(trace.width, i, 0.8);

// Centre of column or row `i` of a heatmap along `values`, which may be left out.
export function cellAt(values, i) { return values ? Number(values[i]) : i; }

// What a trace covers along one axis: {low, high, tight, zero}.
export function extentOf(trace, vertical) {
  let low = Infinity;
  let high = -Infinity;
  const see = (value) => {
    if (!plain(value)) return;
    low = Math.min(low, value);
    high = Math.max(high, value);
  };
  if (trace.type === "heatmap") {
    const count = vertical ? trace.z.length : (trace.z[0] || []).length;
    for (const i of [0, count - 1]) see(cellAt(vertical ? trace.y : trace.x, i));
    return {low: low - 0.5, high: high + 0.5, tight: true};
  }
  const bar = trace.type === "bar";
  if (vertical) for (const value of trace.y || []) see(value);
  else xsOf(trace).forEach((value, i) => { see(value - (bar ? widthOf(trace, i) / 2 : 0)); see(value + (bar ? widthOf(trace, i) / 2 : 0)); });
  return {low, high, tight: bar && !vertical, zero: bar && vertical};
}

// Several extents as one.
export function joinedExtent(extents) {
  if (!extents.length) return null;
  return {
    low: Math.min(...extents.map((one) => one.low)), high: Math.max(...extents.map((one) => one.high)),
    tight: extents.every((one) => one.tight), zero: extents.some((one) => one.zero),
  };
}

// Colour of `value` between `low` and `high` on a scale of [share, colour] pairs.
export function scaled(scale, value, low, high) {
  const share = Math.max(0, Math.min(1, (value - low) / (high - low || 1)));
  const above = Math.max(1, scale.findIndex(([at]) => at >= share));
  const [from, to] = [scale[above - 1], scale[above]];
  return mixColours(from[1], to[1], (share - from[0]) / (to[0] - from[0] || 1));
}

export function traceSvg(trace, x, y, layout) {
  if (trace.visible === false) return "";
  if (trace.type === "heatmap") return heatmapSvg(trace, x, y, layout);
  if (trace.type === "bar") return barSvg(trace, x, y);
  return trace.type === "scatter" || trace.type === undefined ? scatterSvg(trace, x, y) : "";
}

function scatterSvg(trace, x, y) {
  const mode = trace.mode || "lines";
  const {color = "#888", width = 2, dash = "solid", shape} = trace.line || {};
  const parts = [];
  const xs = xsOf(trace);
  const points = Array.from(trace.y || [], (value, i) => (plain(value) && plain(xs[i]) && !(y.log && value <= 0) ? [x.at(xs[i]), y.at(value)] : null));
  if (mode.includes("lines")) {
    let d = "";
    let last = null;
    for (const point of points) {
      if (point) {
        const [px, py] = point.map((value) => value.toFixed(1));
        d += !last ? `M${px} ${py}` : shape === "hv" ? `H${px}V${py}` : `L${px} ${py}`;
      }
      last = point;
    }
    const fill = trace.fill === "toself" && trace.fillcolor ? trace.fillcolor : "none";
    parts.push(`<path d="${d}" fill="${escaped(fill)}" stroke="${escaped(color)}" stroke-width="${width}" stroke-linejoin="round" stroke-dasharray="${DASH_ARRAYS[dash] || ""}"/>`);
  }
  if (mode.includes("markers")) {
    const marker = trace.marker || {};
    points.forEach((point, i) => {
      if (!point) return;
      const name = pick(marker.symbol, i, "circle");
      const colour = escaped(pick(marker.color, i, color));
      const open = name.endsWith("-open");
      const paint = open ? `fill="none" stroke="${colour}" stroke-width="${(marker.line && pick(marker.line.width, i, 1)) || 1}"` : `fill="${colour}"`;
      parts.push(`<path transform="translate(${point[0].toFixed(1)},${point[1].toFixed(1)})" d="${(MARKERS[name] || MARKERS[name.replace("-open", "")] || MARKERS.circle)(pick(marker.size, i, 6) / 2)}" ${paint}/>`);
    });
  }
  return `<g opacity="${trace.opacity ?? 1}">${parts.join("")}</g>`;
}

// Bars of one look are one path: thousands of triplets stay quick.
function barSvg(trace, x, y) {
  const looks = new Map();
  const zero = y.at(y.log ? 10 ** y.range[0] : 0);
  xsOf(trace).forEach((value, i) => {
    if (!plain(trace.y[i])) return;
    const marker = trace.marker || {};
    const look = `${pick(marker.color, i, "#888")}|${(marker.line && pick(marker.line.width, i, 0)) || 0}|${(marker.line && pick(marker.line.color, i, "")) || ""}`;
    const [left, right, top] = [x.at(value - widthOf(trace, i) / 2), x.at(value + widthOf(trace, i) / 2), y.at(trace.y[i])];
    looks.set(look, `${looks.get(look) || ""}M${left.toFixed(2)} ${zero.toFixed(1)}V${top.toFixed(1)}H${right.toFixed(2)}V${zero.toFixed(1)}Z`);
  });
  return [...looks].map(([look, d]) => {
    const [fill, width, stroke] = look.split("|");
    return `<path d="${d}" fill="${escaped(fill)}" stroke="${escaped(stroke || "none")}" stroke-width="${width}"/>`;
  }).join("");
}

function heatmapSvg(trace, x, y, layout) {
  const axis = trace.coloraxis ? layout[trace.coloraxis] : null;
  const [scale, low, high] = axis ? [axis.colorscale, axis.cmin, axis.cmax] : [trace.colorscale, trace.zmin, trace.zmax];
  const format = /^%\{z(?::([^}]+))?\}$/.exec(trace.texttemplate || "");
  const given = trace.texttemplate === "%{text}" ? trace.text : null;
  const size = (trace.textfont && trace.textfont.size) || 10;
  const parts = [];
  trace.z.forEach((cells, row) => Array.from(cells).forEach((value, column) => {
    if (!plain(value)) return;
    const [cx, cy] = [cellAt(trace.x, column), cellAt(trace.y, row)];
    const [left, right] = [x.at(cx - 0.5), x.at(cx + 0.5)];
    const [top, bottom] = [y.at(cy + 0.5), y.at(cy - 0.5)].sort((a, b) => a - b);
    const gap = (trace.xgap || 0) / 2;
    const fill = scaled(scale, value, low, high);
    parts.push(`<rect x="${(left + gap).toFixed(1)}" y="${(top + gap).toFixed(1)}" width="${Math.max(0, right - left - 2 * gap).toFixed(1)}" height="${Math.max(0, bottom - top - 2 * gap).toFixed(1)}" fill="${fill}"/>`);
    if (format || given) {
      const words = given ? given[row][column] : formatted(value, format[1]);
      const ink = brightness(fill) < 150 ? "#ffffff" : "#222222";
      parts.push(`<text x="${((left + right) / 2).toFixed(1)}" y="${((top + bottom) / 2).toFixed(1)}" dy="0.35em" text-anchor="middle" font-size="${size}" fill="${ink}">${escaped(String(words))}</text>`);
    }
  }));
  return `<g class="hm">${parts.join("")}</g>`;
}
