// Small parts that panels share: a cursor above a chart, a line in place of an empty one, small buttons.
import {element} from "./theme.js";

// States in which nothing more will come.
export function isOver(run) {
  return ["finished", "stopped", "failed", "recorded", "damaged", "interrupted"].includes(run.status.state);
}

// Moves a cursor to a step on an x axis of a drawn chart; hides it where the step is not on view.
export function placeCursor(cursor, box, step, [x, y] = ["xaxis", "yaxis"]) {
  const full = box._fullLayout;
  if (!full || !full[x] || !full[y]) { cursor.hidden = true; return; }
  const at = full[x].d2p(Math.max(0, step));
  cursor.hidden = at < -1 || at > full[x]._length + 1;
  cursor.style.transform = `translateX(${(full[x]._offset + at).toFixed(1)}px)`;
  cursor.style.top = `${full[y]._offset}px`;
  cursor.style.height = `${full[y]._length}px`;
}

// Draws all of a panel's chart, and notes how long it took: slow ones wait while the step moves.
export function drawWhole(panel, draw) {
  const began = performance.now();
  draw();
  panel.drawnAt = performance.now();
  panel.cost = panel.drawnAt - began;
}

// Above what a chart shows of another step than the one on view.
export function veilOver(panel) {
  const veil = element("div", {className: "tri-veil", hidden: true});
  panel.holder.append(veil);
  return veil;
}

// Shows a sentence in place of a chart, or the chart again if there is none.
export function sayNothing(panel, text) {
  if (!panel.nothing) {
    panel.nothing = element("p", {className: "tri-nothing"});
    panel.holder.append(panel.nothing);
  }
  for (const node of panel.holder.children) node.style.visibility = text && node !== panel.nothing ? "hidden" : "";
  panel.nothing.hidden = !text;
  if (panel.nothing.textContent !== text) panel.nothing.textContent = text;
}

// A group of small buttons of which one is pressed: {node, mark(value)}.
export function smallChoice(name, choices, choose) {
  const buttons = Object.entries(choices).map(([value, title]) => {
    const button = element("button", {className: "tri-small", type: "button", title, dataset: {value}}, value);
    button.addEventListener("click", () => choose(value));
    return button;
  });
  const node = element("div", {className: "tri-choice", role: "group"}, ...buttons);
  node.setAttribute("aria-label", name);
  const mark = (value) => buttons.forEach((button) => button.setAttribute("aria-pressed", String(button.dataset.value === value)));
  return {node, mark};
}
