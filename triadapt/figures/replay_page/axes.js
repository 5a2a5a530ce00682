// Axes of the replay's charts: the part of Plotly's layout that the board uses, in a few lines instead of five megabytes.

const MAX_TICKS = 40;

// Text that may stand in SVG or HTML, whatever is in it.
export function escaped(text) {
  return String(text).replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);
}

// A number by a d3 format such as `.4g`, `d` or `~g`; plain without one.
export function formatted(value, format) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  if (typeof value !== "number" || !Number.isFinite(value)) return String(value);
  const digits = /\.(\d+)/.exec(format || "");
  const shape = (format || "").slice(-1);
  if (shape === "d") return String(Math.round(value));
  if (shape === "f" && digits) return value.toFixed(Number(digits[1]));
  if (shape === "%") return `${(100 * value).toFixed(digits ? Number(digits[1]) : 0)}%`;
  const size = Math.abs(value);
  const rounded = Number(value.toPrecision(digits ? Math.max(1, Number(digits[1])) : 12));
  const text = size && (size >= 1e6 || size < 1e-4) ? rounded.toExponential().replace("e+", "e") : String(rounded);
  return text.replaceAll("-", "−");
}

// Round values from `low` to `high`, at most `most` of them.
export function niceTicks(low, high, most) {
  const span = high - low;
  if (!(span > 0)) return [low];
  const raw = span / Math.max(1, most);
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = power * ([1, 2, 5, 10].find((factor) => factor * power >= raw) || 10);
  return multiples(low, high, step);
}

function multiples(low, high, step) {
  const ticks = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9 && ticks.length < MAX_TICKS; i += 1) {
    ticks.push(Number((i * step).toPrecision(12)));
  }
  return ticks;
}

// One axis. `extent` is what the traces on it cover: {low, high, tight, zero}; `_offset`, `_length` and `d2p` are as in Plotly.
export class PlotAxis {
  constructor(id, options, extent, offset, length) {
    this.id = id;
    this.options = options || {};
    this.vertical = id.startsWith("y");
    this.log = this.options.type === "log";
    this._offset = offset;
    this._length = length;
    this.range = this.#range(extent);
  }

  #range(extent) {
    const {range, autorange, rangemode} = this.options;
    if (range && autorange !== true) return range;
    let low = extent ? extent.low : 0;
    let high = extent ? extent.high : 1;
    if (this.log) [low, high] = [Math.log10(low), Math.log10(high)];
    if (!Number.isFinite(low) || !Number.isFinite(high)) [low, high] = this.log ? [-2, 0] : [0, 1];
    if (!this.log && (rangemode === "tozero" || (extent && extent.zero))) [low, high] = [Math.min(0, low), Math.max(0, high)];
    const room = high > low ? (high - low) * 0.06 : Math.abs(high) * 0.5 || 0.5;
    if (!extent || !extent.tight) {
      const floor = !this.log && low === 0 && (rangemode === "tozero" || (extent && extent.zero));
      const roof = !this.log && high === 0 && (rangemode === "tozero" || (extent && extent.zero));
      [low, high] = [floor ? 0 : low - room, roof ? 0 : high + room];
    }
    return autorange === "reversed" ? [high, low] : [low, high];
  }

  // Pixels from the start of the axis; upwards is a smaller number on a vertical one.
  d2p(value) {
    const [from, to] = this.range;
    const at = ((this.log ? Math.log10(value) : value) - from) / (to - from || 1);
    return (this.vertical ? 1 - at : at) * this._length;
  }

  // Place in the box of a value in data units (`l`: in units of the axis, logarithms on a logarithmic one).
  at(value) { return this._offset + this.d2p(value); }
  atLinear(value) { return this._offset + this.d2p(this.log ? 10 ** value : value); }

  ticks() {
    const {tickvals, ticktext, dtick, nticks, tickformat} = this.options;
    const [low, high] = [Math.min(...this.range), Math.max(...this.range)];
    const inside = (value) => {
      const v = this.log ? Math.log10(value) : value;
      return v >= low - 1e-9 && v <= high + 1e-9;
    };
    if (tickvals) {
      return Array.from(tickvals, (value, i) => ({value, text: ticktext ? ticktext[i] : formatted(value, tickformat)})).filter((tick) => inside(tick.value));
    }
    const most = nticks || Math.max(2, Math.floor(this._length / (this.vertical ? 28 : 60)));
    if (this.log) {
      const powers = niceTicks(low, high, most).filter(Number.isInteger);
      return powers.map((power) => ({value: 10 ** power, text: formatted(10 ** power)}));
    }
    const values = dtick ? multiples(low, high, dtick) : niceTicks(low, high, most);
    return values.map((value) => ({value, text: formatted(value, tickformat === "~g" ? "" : tickformat)}));
  }

  // Grid lines, ticks and title as SVG text. `across` is the other axis.
  svg(across, font) {
    const {visible, showgrid, gridcolor, tickfont, tickangle, showticklabels, title} = this.options;
    if (visible === false) return "";
    const size = (tickfont && tickfont.size) || 11;
    const colour = (tickfont && tickfont.color) || font.color;
    const parts = [];
    const [start, end] = [across._offset, across._offset + across._length];
    for (const {value, text} of this.ticks()) {
      const at = this.at(value).toFixed(1);
      if (showgrid !== false) {
        const line = this.vertical ? `M${start} ${at}H${end}` : `M${at} ${start}V${end}`;
        parts.push(`<path class="grid" d="${line}" stroke="${gridcolor || "#8884"}" fill="none"/>`);
      }
      if (showticklabels === false) continue;
      if (this.vertical) parts.push(`<text x="${start - 4}" y="${at}" dy="0.35em" text-anchor="end" font-size="${size}" fill="${colour}">${escaped(text)}</text>`);
      else if (tickangle) parts.push(`<text transform="translate(${at},${end + 5}) rotate(${tickangle})" dy="0.35em" text-anchor="${tickangle < 0 ? "end" : "start"}" font-size="${size}" fill="${colour}">${escaped(text)}</text>`);
      else parts.push(`<text x="${at}" y="${end + size + 2}" text-anchor="middle" font-size="${size}" fill="${colour}">${escaped(text)}</text>`);
    }
    const words = title && (title.text || (typeof title === "string" ? title : ""));
    if (words) {
      const middle = this._offset + this._length / 2;
      const place = this.vertical ? `transform="translate(${start - 34},${middle}) rotate(-90)"` : `x="${middle}" y="${end + 2 * size + 6}"`;
      parts.push(`<text ${place} text-anchor="middle" font-size="${(title.font && title.font.size) || size}" fill="${colour}">${escaped(words)}</text>`);
    }
    return parts.join("");
  }
}
