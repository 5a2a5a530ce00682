// Lines over steps: losses, metrics, total rank as stairs.
import {DASH_ARRAYS} from "../board/theme.js";
import {Picture, escape, frame, n, ticks} from "./draw_svg.js";

// series(): [{label, colour, dash, x, y, stairs}]. options: {xTitle, yTitle, height, low, high, xHigh, line: {value, label}, marks}.
export class LineChart extends Picture {
  constructor(series, options, look) {
    super((width, theme) => this.#body(width, theme), look);
    Object.assign(this, {series, options});
  }

  #body(width, theme) {
    const series = this.series().filter((one) => one.x.length);
    const given = this.options();
    const {xTitle = "step", yTitle = "", height = 200, line, mark, format} = given;
    if (!series.length) return {height: 42, label: yTitle, body: `<text x="46" y="17" class="title">${escape(yTitle)}</text><text x="46" y="34" class="tick">drawn once there is a run</text>`};
    const values = [...series.flatMap((one) => Array.from(one.y)), ...(line ? [line.value] : [])].filter(Number.isFinite);
    const high = given.high ?? (Math.max(0, ...values) * 1.06 || 1);
    const low = given.low ?? Math.min(0, ...values);
    const last = given.xHigh ?? Math.max(1, ...series.flatMap((one) => [one.x[one.x.length - 1] || 0]));
    const [left, right, top] = [46, width - 12, 24];
    const legend = this.#legend(series, theme, left, right, height);
    const bottom = height - 36;
    const x = (value) => left + (value / last) * (right - left);
    const y = (value) => bottom - ((Math.min(high, Math.max(low, value)) - low) / (high - low || 1)) * (bottom - top);
    const paths = series.map((one) => {
      let path = "";
      one.x.forEach((value, i) => {
        if (!Number.isFinite(one.y[i])) return;
        const [px, py] = [n(x(value)), n(y(one.y[i]))];
        path += !path ? `M${px} ${py}` : one.stairs ? `H${px}V${py}` : `L${px} ${py}`;
      });
      if (one.stairs && path && one.until !== undefined) path += `H${n(x(one.until))}`;
      return `<path d="${path}" fill="none" stroke="${one.colour}" stroke-width="2" stroke-dasharray="${DASH_ARRAYS[one.dash] || ""}" stroke-linejoin="round"/>`;
    });
    const target = line ? `<path d="M${left} ${n(y(line.value))}H${right}" stroke="${theme.text}" stroke-dasharray="1 4"/><text x="${right}" y="${n(y(line.value) - 5)}" text-anchor="end" class="tick halo">${escape(line.label)}</text>` : "";
    const cursor = mark === undefined || mark === null ? "" : `<path d="M${n(x(mark))} ${top}V${bottom}" stroke="${theme.grey}" stroke-width="1.2" stroke-dasharray="4 3"/>`;
    return {
      height: height + legend.height,
      body: frame({left, right, top, bottom, xs: ticks(0, last, width < 420 ? 3 : 6), ys: ticks(low, high, 4), x, y, theme, xTitle, yTitle, format: format || ((value) => value.toLocaleString("en"))})
        + target + paths.join("") + cursor + legend.body,
      label: `${yTitle}: ${series.map((one) => `${one.label} ends at ${Number(one.y[one.y.length - 1]).toPrecision(3)}`).join("; ")}`,
    };
  }

  #legend(series, theme, left, right, top) {
    let [at, line] = [left, 0];
    const entries = series.map((one) => {
      const wide = 34 + one.label.length * 6.6;
      if (at > left && at + wide > right) [at, line] = [left, line + 1];
      const y = top + 8 + line * 18;
      const text = `<path d="M${at} ${y - 4}h22" stroke="${one.colour}" stroke-width="2.4" stroke-dasharray="${DASH_ARRAYS[one.dash] || ""}"/><text x="${at + 28}" y="${y}" class="key">${escape(one.label)}</text>`;
      at += wide + 14;
      return text;
    });
    return {body: entries.join(""), height: series.length ? 18 * (line + 1) : 0};
  }
}
