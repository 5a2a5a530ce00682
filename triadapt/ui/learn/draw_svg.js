// What the pictures of the lessons share: SVG as text, sized to the room there is.
export const escape = (text) => String(text).replace(/[&<>"]/g, (sign) => ({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"})[sign]);

export const n = (value) => Number(value.toFixed(2));

// A picture that is drawn anew when its data, the theme or its room change. draw(width, theme) returns {height, body, label}.
export class Picture {
  constructor(draw, {testid = "", className = ""} = {}) {
    this.drawBody = draw;
    this.node = document.createElement("div");
    this.node.className = `ln-picture ${className}`;
    if (testid) this.node.dataset.testid = testid;
  }

  draw(theme) {
    const width = Math.floor(this.node.clientWidth);
    if (!width || !theme) return;
    this.theme = theme;
    const {height, body, label, role = "img"} = this.drawBody(width, theme);
    const html = `<svg xmlns="http://www.w3.org/2000/svg" role="${role}" aria-label="${escape(label)}" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}">${body}</svg>`;
    if (html !== this.html) this.node.innerHTML = this.html = html;
  }
}

// About `count` round values from low to high.
export function ticks(low, high, count = 5) {
  const rough = (high - low) / count || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((one) => one >= rough * 0.999);
  const found = [];
  for (let tick = Math.ceil(low / step - 1e-9) * step; tick <= high + step * 1e-9; tick += step) found.push(Math.abs(tick) < step * 1e-6 ? 0 : Number(tick.toPrecision(12)));
  return found;
}

// Frame, grid and ticks of a chart; x and y give pixels of values.
export function frame({left, right, top, bottom, xs, ys, x, y, theme, xTitle = "", yTitle = "", format = String}) {
  const across = ys.map((value) => `<path d="M${left} ${n(y(value))}H${right}" stroke="${theme.grid}"/><text x="${left - 6}" y="${n(y(value) + 4)}" text-anchor="end" class="tick">${escape(format(value))}</text>`);
  const below = xs.map((value) => `<text x="${n(x(value))}" y="${bottom + 15}" text-anchor="middle" class="tick">${escape(format(value))}</text>`);
  const titles = `<text x="${right}" y="${bottom + 30}" text-anchor="end" class="tick">${escape(xTitle)}</text><text x="${left}" y="${top - 8}" class="title">${escape(yTitle)}</text>`;
  return across.join("") + below.join("") + titles;
}
