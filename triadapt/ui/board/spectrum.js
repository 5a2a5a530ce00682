// Singular values of one matrix's change over time: one line a value, from its birth on.
import {methodColour, mixColours} from "./theme.js";
import {effectiveRanks} from "./effective.js";

// Lines of matrix `index` on the given axes; empty before two geometry records.
export function spectrumTraces(run, index, theme, axes) {
  if (run.geometry.length < 2) return [];
  const rows = run.geometry.map((record) => {
    let first = 0;
    for (let i = 0; i < index; i += 1) first += record.ranks[i];
    return record.singular.subarray(first, first + record.ranks[index]);
  });
  const most = Math.max(0, ...rows.map((row) => row.length));
  const colour = methodColour(run, theme);
  return Array.from({length: most}, (_, value) => ({
    type: "scatter", mode: rows.length > 60 ? "lines" : "lines+markers", marker: {size: 3.5},
    x: run.geometry.map((record) => record.t), y: rows.map((row) => (value < row.length ? row[value] : null)),
    line: {color: mixColours(colour, theme.background, most > 1 ? (0.72 * value) / (most - 1) : 0), width: value ? 1.5 : 2.2},
    customdata: run.geometry.map((record) => [record.ranks[index], effectiveRanks(record)[index]]),
    hovertemplate: `step %{x}: singular value ${value + 1} is %{y:.3g}<br>${run.measured ? "effective rank" : "rank %{customdata[0]}, used"} %{customdata[1]}<extra></extra>`,
    ...axes,
  }));
}
