// What stands between A and B of one matrix: L + U as it grew block by block, or the diagonal of triplets with those that are
// pruned or wait in reserve.
import {lastAtOrBefore} from "./frames.js";
import {methodColour, numberFormat, tidy} from "./theme.js";
import {keptTriplets} from "./why_words.js";

const CORE_AXES = {xaxis: "x2", yaxis: "y2"};
const CORE_NEGATIVE = "#B2182B";
const CORE_POSITIVE = "#2166AC";
const CORE_ROW = 11; // pixels a row needs for the step it grew at
const CORE_CELL = 34; // pixels of a cell that has room for its value
const RESERVE_VALUE = 1e-5; // of a triplet that waits (methods/increlora/layer.py)

// Blocks of matrix `index` in a geometry record, in the order in which they grew: {from, to, step}; step null: at the start.
export function blocksOf(run, index, record) {
  const grown = run.events.filter((event) => event.t < record.t && event.ranks[index] > event.before[index]);
  const blocks = grown.map((event) => ({from: event.before[index], to: event.ranks[index], step: event.t}));
  const start = blocks.length ? blocks[0].from : record.ranks[index];
  return start ? [{from: 0, to: start, step: null}, ...blocks] : blocks;
}

// Triplets of matrix `index` in a geometry record: {value, state: "in use" | "pruned" | "in reserve", score, step}. Which are
// pruned is known where the importances of the event before are there, how many wait from the configuration.
export function tripletsOf(run, index, record, values) {
  const {allocation, config, method, target_total: target} = run.started;
  const event = run.events[lastAtOrBefore(run.events, record.t - 1)];
  if (allocation === "prunes") return withPruned(event, index, values);
  const blocks = blocksOf(run, index, record);
  const used = Array.from(values, (value, i) => ({value, state: "in use", step: (blocks.find((block) => i < block.to) || {step: null}).step}));
  const open = (event ? event.total : run.started.start_total) < target && ((config || {})[method] || {}).advance_learning;
  const waiting = open ? (config.add_r ?? 1) : 0;
  return [...used, ...Array.from({length: waiting}, () => ({value: RESERVE_VALUE, state: "in reserve", step: null}))];
}

function withPruned(event, index, values) {
  const all = Array.from(values, (value) => ({value, state: "in use", step: null}));
  if (!event || !event.units.length) return all;
  const order = Array.from(event.units, (_, i) => i).sort((a, b) => event.units[b] - event.units[a]);
  const kept = new Set(order.slice(0, keptTriplets(event)));
  const own = order.filter((i) => event.unitMatrix[i] === index).sort((a, b) => a - b);
  if (own.filter((i) => kept.has(i)).length !== values.length) return all; // ties, or changed since
  let next = 0;
  return own.map((i) => (kept.has(i) ? {...all[next++], score: event.units[i]} : {value: 0, state: "pruned", step: event.t, score: event.units[i]}));
}

// Everything about the core for one chart on the axes x2 and y2: {traces, title, foot, xaxis, yaxis}; null if there is none.
// `high` is its height in pixels.
export function corePicture(run, index, record, part, theme, high) {
  if (!part) return null;
  if (run.started.core_kind === "triangular") return part.core.length ? trianglePicture(run, index, record, part, theme, high) : null;
  const triplets = tripletsOf(run, index, record, part.core);
  return triplets.length ? diagonalPicture(run, triplets, theme) : null;
}

function trianglePicture(run, index, record, {rank, core}, theme, high) {
  const values = Array.from(core);
  const most = Math.max(1e-12, ...values.map(Math.abs));
  const blocks = blocksOf(run, index, record);
  const blockAt = (i) => blocks.findIndex((block) => i < block.to);
  const born = (block) => (block && block.step !== null ? `grew at step ${block.step}` : "there from the start");
  const side = (row, column) => (blockAt(row) === blockAt(column) ? "in L and U" : row > column ? "in L" : "in U");
  const rows = Array.from({length: rank}, (_, i) => i);
  const heat = {
    type: "heatmap", z: rows.map((row) => values.slice(row * rank, (row + 1) * rank)), zmin: -most, zmax: most, zmid: 0, xgap: 1, ygap: 1, showscale: false,
    colorscale: [[0, CORE_NEGATIVE], [0.5, theme.dark ? "#30333b" : "#f7f7f7"], [1, CORE_POSITIVE]],
    x: rows.map((i) => i + 1), y: rows.map((i) => i + 1), hoverinfo: "text",
    hovertext: rows.map((row) => rows.map((column) => `row ${row + 1}, column ${column + 1}: ${tidy(values[row * rank + column])}<br>`
      + `${side(row, column)}, ${born(blocks[Math.max(blockAt(row), blockAt(column))])}`)),
    texttemplate: rank && high / rank >= CORE_CELL ? "%{z:.2g}" : "", textfont: {size: 10}, ...CORE_AXES,
  };
  const newest = blocks.length > 1 ? blocks.slice(-1) : [];
  const every = Math.max(1, Math.ceil((CORE_ROW * blocks.length) / high));
  const named = blocks.filter((_, i) => (blocks.length - 1 - i) % every === 0);
  return {
    traces: [heat, outline(blocks, theme.quiet, 1), outline(newest, methodColour(run, theme), 2.5)], square: true,
    title: blocks.length > 1 ? "L + U, by the steps they grew at" : "L + U, one block",
    foot: blocks.length > 1 ? "below: L, above: U" : "",
    xaxis: {range: [0.5, rank + 0.5], showticklabels: false},
    yaxis: {
      range: [rank + 0.5, 0.5], showgrid: false, tickvals: named.map(({from, to}) => (from + to + 1) / 2),
      ticktext: named.map(({step}) => (step === null ? "start" : String(step))),
    },
  };
}

// Around each block what it added: its rows of L, its columns of U, and the square on the diagonal that is in both.
function outline(blocks, color, width) {
  const corners = blocks.flatMap(({from, to}) => {
    const [low, high] = [from + 0.5, to + 0.5];
    return [[low, 0.5], [high, 0.5], [high, high], [0.5, high], [0.5, low], [low, low], [low, 0.5], null, [low, low], [high, low], null, [low, low], [low, high], null];
  });
  return {
    type: "scatter", mode: "lines", hoverinfo: "skip", line: {color, width}, ...CORE_AXES,
    x: corners.map((corner) => (corner ? corner[0] : null)), y: corners.map((corner) => (corner ? corner[1] : null)),
  };
}

function diagonalPicture(run, triplets, theme) {
  const at = (state) => triplets.map((one, i) => ({...one, place: i + 1})).filter((one) => (state === "in use") === (one.state === "in use"));
  const used = at("in use");
  const idle = at("");
  const ends = [Math.min(0, ...used.map((one) => one.value)), Math.max(0, ...used.map((one) => one.value))];
  const [low, high] = ends;
  const room = 0.12 * (high - low || 1);
  const states = [...new Set(idle.map((one) => one.state))];
  const score = (one) => (one.score === undefined ? "" : `<br>importance ${tidy(one.score)}`);
  const since = (one) => (run.started.allocation === "prunes" ? "" : one.step === null ? "<br>in use from the start" : `<br>in use since step ${one.step}`);
  const waits = (one) => (one.state === "in reserve" ? "in reserve: its A and B train,<br>its value waits until it is granted" : `pruned at step ${one.step}`);
  return {
    traces: [{
      type: "bar", x: used.map((one) => one.place), y: used.map((one) => one.value), width: used.map(() => 0.75), ...CORE_AXES,
      marker: {color: used.map((one) => (one.value < 0 ? CORE_NEGATIVE : CORE_POSITIVE))},
      hovertext: used.map((one) => `triplet ${one.place}: ${tidy(one.value)}${since(one)}${score(one)}`), hoverinfo: "text",
    }, {
      type: "scatter", mode: "markers", x: idle.map((one) => one.place), y: idle.map(() => 0), ...CORE_AXES,
      marker: {symbol: idle.map(() => "square-open"), size: 9, color: theme.quiet, line: {width: 1.5}},
      hovertext: idle.map((one) => `triplet ${one.place}: ${waits(one)}${score(one)}`), hoverinfo: "text",
    }],
    square: false, title: `triplets, diagonal E${states.length ? `; □ ${states.join(", ")}` : ""}`, foot: "",
    xaxis: {range: [0.4, triplets.length + 0.6], ...(triplets.length <= 8 ? {dtick: 1} : {nticks: 6}), tickangle: 0},
    yaxis: {nticks: 5, tickformat: numberFormat(ends), exponentformat: "e", range: [low < 0 ? low - room : -room / 2, high > 0 ? high + room : room / 2]},
  };
}
