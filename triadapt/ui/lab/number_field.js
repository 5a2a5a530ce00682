// One number: a slider over the usual values, and a field that takes all that are allowed.
import {element} from "../board/theme.js";

const PLACES = 1000; // of a slider whose values are spread by their ratio, not by their difference
const BY_RATIO = new Set(["steps", "interval"]);

// spec: {key, label, help, low, high, slider, step}; changed(value) is called with allowed values only.
export function numberField(spec, changed) {
  const whole = spec.step === 1;
  const allowed = (value) => Number.isFinite(value) && value >= spec.low && value <= spec.high && (!whole || Number.isInteger(value));
  const byRatio = BY_RATIO.has(spec.key);
  const low = byRatio ? Math.max(1, spec.low) : spec.low;
  let top = spec.slider;

  const input = element("input", {type: "number", min: spec.low, max: spec.high, step: whole ? 1 : "any"});
  input.setAttribute("aria-label", spec.label);
  input.dataset.key = spec.key;
  const refused = element("span", {className: "lab-refused", role: "alert"});
  let shown = null;
  const range = spec.slider ? element("input", {type: "range"}) : null;

  const place = (value) => (byRatio ? Math.round((PLACES * Math.log(Math.max(low, value) / low)) / Math.log(top / low)) : value);
  const valueAt = (at) => {
    const value = byRatio ? Math.round(low * (top / low) ** (at / PLACES)) : at;
    return whole ? Math.round(value) : Number(value.toFixed(4));
  };
  const setRange = () => {
    range.min = byRatio ? 0 : low;
    range.max = byRatio ? PLACES : top;
    range.step = byRatio ? 1 : spec.step;
  };
  if (range) {
    range.setAttribute("aria-label", `${spec.label}, slider`);
    range.dataset.key = spec.key;
    setRange();
    range.addEventListener("input", () => changed(valueAt(Number(range.value))));
  }
  input.addEventListener("input", () => {
    const value = input.value === "" ? NaN : Number(input.value);
    input.toggleAttribute("aria-invalid", !allowed(value));
    const bounds = `${whole ? "a whole number" : "a number"} from ${spec.low.toLocaleString("en")} to ${spec.high.toLocaleString("en")}`;
    refused.textContent = allowed(value) ? "" : `${bounds}; the plan is still that of ${shown}`;
    if (allowed(value)) changed(value);
  });
  input.addEventListener("blur", () => {
    input.removeAttribute("aria-invalid");
    refused.textContent = "";
    if (shown !== null) input.value = shown;
  });

  const row = element("label", {className: range ? "lab-number" : "lab-number lab-typed", title: spec.help}, element("span", {}, spec.label), ...(range ? [range] : []), input, refused);
  return {
    row,
    // The slider ends here.
    limit: (end) => {
      if (!range || end === top || end <= low) return;
      top = end;
      setRange();
    },
    show: (value) => {
      shown = value;
      const root = input.getRootNode();
      if (root.activeElement !== input || Number(input.value) !== value) {
        if (!(root.activeElement === input && input.hasAttribute("aria-invalid"))) input.value = value;
      }
      // A slider under the hand stays where the hand is: several of its places may mean one value.
      if (range && valueAt(Number(range.value)) !== value) range.value = place(value);
    },
    disable: (off) => {
      input.disabled = off;
      if (range) range.disabled = off;
    },
  };
}
