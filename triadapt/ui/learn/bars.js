// Bars from the largest, with a line across them: scores and a threshold, singular values, shares.
import {Picture, escape, frame, n, ticks} from "./draw_svg.js";

export class Bars extends Picture {
  // of(): {values, colour(i), label(i), line: {value, label}, yTitle, xTitle, names, height}.
  constructor(of, look) {
    super((width, theme) => this.#body(width, theme), look);
    this.of = of;
  }

  #body(width, theme) {
    const {values, colour, tip = () => "", line, yTitle = "", xTitle = "", height = 210, names = null} = this.of(theme);
    const [left, right, top, bottom] = [46, width - 10, 26, height - (names ? 58 : 36)];
    if (!values.length) return {height: 44, label: yTitle, body: `<text x="${left}" y="17" class="title">${escape(yTitle)}</text>`};
    const all = [...values, ...(line ? [line.value] : []), 0].filter(Number.isFinite);
    const span = (Math.max(...all) - Math.min(...all)) || 1;
    const [low, high] = [Math.min(...all) < 0 ? Math.min(...all) - span * 0.05 : 0, Math.max(...all) + span * 0.08];
    const y = (value) => bottom - ((value - low) / (high - low)) * (bottom - top);
    const per = (right - left) / Math.max(1, values.length);
    const bars = values.map((value, i) => {
      const [from, to] = [Math.min(y(0), y(value)), Math.max(y(0), y(value))];
      return `<rect x="${n(left + i * per + per * 0.12)}" y="${n(from)}" width="${n(per * 0.76)}" height="${n(Math.max(1, to - from))}" fill="${colour(i)}" data-tip="${escape(tip(i))}"/>`;
    });
    const below = (names || []).map((name, i) => {
      const at = n(left + (i + 0.5) * per);
      return `<text x="${at}" y="${bottom + 8}" class="tick" text-anchor="end" transform="rotate(-60 ${at} ${bottom + 8})">${escape(name)}</text>`;
    });
    const across = line ? `${Number.isFinite(line.value) ? `<path d="M${left} ${n(y(line.value))}H${right}" stroke="${theme.text}" stroke-width="1.5" stroke-dasharray="6 4"/>` : ""}<text x="${right}" y="${top - 9}" text-anchor="end" class="tick">${escape(line.label)}</text>` : "";
    return {
      height,
      body: frame({left, right, top, bottom: names ? height - 30 : bottom, xs: [], ys: ticks(low, high, 4), x: Number, y, theme, xTitle: names ? "" : xTitle, yTitle}) + bars.join("") + across + below.join(""),
      label: `${yTitle}: ${values.length} bars, the largest ${Number(Math.max(...all)).toPrecision(3)}${line ? `; ${line.label}` : ""}`,
    };
  }
}
