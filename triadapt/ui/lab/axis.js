// One linear axis: values to pixels and back, and where its ticks are.

export class Axis {
  constructor(low, high, from, to) {
    Object.assign(this, {low, high, from, to});
    this.scale = (to - from) / (high - low || 1);
  }

  at(value) { return this.from + (value - this.low) * this.scale; }

  back(pixel) { return this.low + (pixel - this.from) / this.scale; }

  // About so many whole numbers, evenly spaced.
  ticks(count) {
    const rough = (this.high - this.low) / count;
    const power = 10 ** Math.floor(Math.log10(Math.max(rough, 1)));
    const step = Math.max(1, power * [1, 2, 5, 10].find((factor) => factor * power >= rough || factor === 10));
    const found = [];
    for (let tick = Math.ceil(this.low / step) * step; tick <= this.high; tick += step) found.push(tick);
    return found;
  }
}

// 1,200 as 1.2k, for ticks.
export function compact(value) {
  for (const [size, letter] of [[1e9, "G"], [1e6, "M"], [1e4, "k"]]) {
    const unit = letter === "k" ? 1e3 : size;
    if (Math.abs(value) >= size) return `${Number((value / unit).toPrecision(3))}${letter}`;
  }
  return value.toLocaleString("en");
}

export function escape(text) {
  return String(text).replace(/[&<>"]/g, (sign) => ({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"})[sign]);
}
