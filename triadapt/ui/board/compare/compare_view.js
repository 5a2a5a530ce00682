// What of a comparison is in the address: moment, pin, what is drawn and what is subtracted. Values come from anywhere: what
// is not possible is passed over.
import {MOMENTS} from "./compared_run.js";
import {AXES, BANDS, QUANTITIES} from "./series.js";

export const WINDOWS = [1, 5, 10, 20, 50];

export function keepCompareView(comparison) {
  const {view, choice} = comparison;
  const usual = {...choice};
  view.keep("by", {
    get: () => (comparison.moment.kind === "end" ? null : comparison.moment.kind),
    set: (text) => { if (Object.hasOwn(MOMENTS, text)) comparison.moment = {kind: text, value: 0}; },
  });
  view.keep("at", {
    get: () => (comparison.moment.kind === "end" ? null : Number(comparison.moment.value.toFixed(1))),
    set: (text) => { if (text !== "" && Number.isFinite(Number(text))) comparison.moment.value = Number(text); },
  });
  view.keep("pin", {
    get: () => comparison.pinned,
    set: (text) => { if (/^L\d+\.[\w.]+$/.test(text)) comparison.pinned = text; },
    fits: (text) => comparison.runs.some((run) => run.at.has(text)),
  });
  const keep = (name, possible, read = (text) => text) => view.keep(name, {
    get: () => (choice[name] === usual[name] ? null : choice[name]),
    set: (text) => { if (possible(read(text))) choice[name] = read(text); },
  });
  keep("y", (value) => Object.hasOwn(QUANTITIES, value));
  keep("x", (value) => Object.hasOwn(AXES, value));
  keep("band", (value) => Object.hasOwn(BANDS, value));
  keep("mean", (value) => WINDOWS.includes(value), Number);
  keep("kind", (value) => Number.isInteger(value) && value >= 0 && value < comparison.frame.kinds.length, (text) => (text === "" ? NaN : Number(text)));
  keep("rows", (value) => ["runs", "groups"].includes(value));
  keep("ref", (value) => comparison.groups.includes(value));
  for (const name of ["a", "b"]) keep(name, (value) => Boolean(comparison.one(value)));
}
