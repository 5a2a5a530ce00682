// What came since a chart over time was drawn: the ends of its lines, above it. Plotly, which draws all of a chart anew,
// is needed once in a while instead of at every refresh.
import {element} from "./theme.js";

const DASH_PARTS = {solid: [], dot: [1, 1], dash: [3, 3], longdash: [5, 5], dashdot: [3, 1, 1, 1], longdashdot: [5, 2, 1, 2]}; // as Plotly draws them

export class Tail {
  constructor(holder) {
    this.node = element("div", {className: "tri-tail"});
    this.svg = this.node.appendChild(document.createElementNS("http://www.w3.org/2000/svg", "svg"));
    this.svg.setAttribute("aria-hidden", "true");
    holder.append(this.node);
    this.length = 0;
  }

  clear() {
    this.length = 0;
    this.svg.replaceChildren();
  }

  // Draws lines {x, y, colour, width, dash, opacity, stairs, dots} on the axes of a chart. Whether all of them is in sight.
  draw({xaxis, yaxis}, lines) {
    const {style} = this.node;
    const place = [`${xaxis._offset}px`, `${yaxis._offset}px`, `${xaxis._length}px`, `${yaxis._length}px`];
    if (place.join() !== this.place) {
      this.place = place.join();
      [style.left, style.top, style.width, style.height] = place;
    }
    this.length = Math.max(0, ...lines.map((line) => line.x.length));
    let inside = true;
    const paths = [];
    for (const line of lines) {
      const points = line.x.map((x, i) => [xaxis.d2p(x), Number.isFinite(line.y[i]) ? yaxis.d2p(line.y[i]) : NaN]);
      inside &&= points.every(([, y], i) => !Number.isFinite(line.y[i]) || (y >= 0 && y <= yaxis._length));
      paths.push([linePath(points, line.stairs), line]);
      if (line.dots) paths.push([dotPath(points.filter((_, i) => line.dots[i])), {...line, width: 4.5, dash: "dotted"}]);
    }
    while (this.svg.childElementCount > paths.length) this.svg.lastChild.remove();
    paths.forEach(([d, line], i) => this.#path(i, d, line));
    return inside;
  }

  #path(i, d, {colour, width, dash, opacity}) {
    const node = this.svg.childNodes[i] || this.svg.appendChild(document.createElementNS("http://www.w3.org/2000/svg", "path"));
    const parts = DASH_PARTS[dash] || [];
    const look = {
      d, stroke: colour, "stroke-width": width, opacity: opacity ?? 1, "stroke-linecap": dash === "dotted" ? "round" : "butt",
      "stroke-dasharray": parts.map((part) => part * Math.max(3, width)).join(" "),
    };
    for (const [name, value] of Object.entries(look)) if (node.getAttribute(name) !== String(value)) node.setAttribute(name, value);
  }
}

function linePath(points, stairs) {
  let d = "";
  let pen = false;
  for (const [x, y] of points) {
    if (!Number.isFinite(y)) { pen = false; continue; }
    d += !pen ? `M${x.toFixed(1)} ${y.toFixed(1)}` : stairs ? `H${x.toFixed(1)}V${y.toFixed(1)}` : `L${x.toFixed(1)} ${y.toFixed(1)}`;
    pen = true;
  }
  return d;
}

// Lines of no length with round ends.
function dotPath(points) {
  return points.filter(([, y]) => Number.isFinite(y)).map(([x, y]) => `M${x.toFixed(1)} ${y.toFixed(1)}h0`).join("");
}
