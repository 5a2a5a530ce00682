// Formulas in MathML, which browsers draw without a library. Numbers in them are live: `number` marks what was computed, so
// that a test can read it where the reader does.
import {escape} from "./draw_svg.js";
import {symbol} from "./symbols.js";


// As many digits as say something, a true minus sign.
export function written(value, digits = 4) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  if (Number.isInteger(value)) return value.toLocaleString("en").replace("-", "−");
  const size = Math.abs(value);
  const text = size >= 1e-4 && size < 1e6 ? String(Number(value.toPrecision(digits))) : value.toExponential(1);
  return text.replace("-", "−");
}

export const row = (...parts) => `<mrow>${parts.join("")}</mrow>`;
export const sym = symbol;
export const op = (sign) => `<mo>${escape(sign)}</mo>`;
// Spaces at the ends of a text are dropped in MathML unless they are of the kind that is kept.
export const words = (text) => `<mtext>${escape(text.replace(/^ +| +$/g, (gap) => "\u00a0".repeat(gap.length)))}</mtext>`;
export const frac = (top, bottom) => `<mfrac>${row(top)}${row(bottom)}</mfrac>`;
export const power = (base, exponent) => `<msup>${row(base)}${row(exponent)}</msup>`;
export const root = (inside) => `<msqrt>${inside}</msqrt>`;
export const norm = (inside) => `<msub><mrow><mo stretchy="false">‖</mo>${inside}<mo stretchy="false">‖</mo></mrow><mi>F</mi></msub>`;
export const fenced = (...inside) => row('<mo stretchy="false">(</mo>', ...inside, '<mo stretchy="false">)</mo>');
export const sumOver = (below, inside) => `<munder><mo>∑</mo>${row(below)}</munder>${inside}`;
export const floor = (inside) => row("<mo>⌊</mo>", inside, "<mo>⌋</mo>");

// A number that was computed. name: what a test asks for it by.
export function number(value, name = "", digits = 4) {
  const mark = name ? ` data-name="${escape(name)}" data-value="${value}"` : "";
  return `<mn class="ln-live"${mark}>${written(value, digits)}</mn>`;
}

export function math(...parts) {
  return `<math display="inline">${row(...parts)}</math>`;
}

// Parts of a line between which it may break; words among them are plain text.
export function line(...parts) {
  return parts.map((part) => {
    const plain = /^<mtext>(.*)<\/mtext>$/.exec(part);
    return plain ? `<span>${plain[1].replaceAll("\u00a0", " ")}</span>` : math(part);
  }).join("");
}

// A formula of its own line or lines, redrawn by `draw(html, html, ...)`; each is a `row` or a `line`.
export class Formula {
  constructor() {
    this.node = document.createElement("div");
    this.node.className = "ln-formula";
  }

  draw(...lines) {
    const html = lines.map((one) => `<div>${one.startsWith("<mrow") ? math(one) : one}</div>`).join("");
    if (html !== this.html) this.node.innerHTML = this.html = html;
  }
}
