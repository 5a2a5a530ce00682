// Files that stand beside this one on the server: Plotly, one folder up, and the style sheet. Not part of a replay page.
import {element} from "./theme.js";

let plotlyPending = null;

// window.Plotly, loaded once when the page has none yet.
export function loadPlotly() {
  if (window.Plotly) return Promise.resolve(window.Plotly);
  plotlyPending ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = new URL("../plotly.min.js", import.meta.url).href;
    script.onload = () => resolve(window.Plotly);
    script.onerror = () => {
      plotlyPending = null;
      script.remove();
      reject(new Error(`The board could not load ${script.src}`));
    };
    document.head.append(script);
  });
  return plotlyPending;
}

// Links a style sheet of this folder into the tree (document or shadow root) that `element` lives in, once. Resolves when it
// is in force.
export function linkStyle(element, name = "board.css") {
  const tree = element.getRootNode();
  const home = tree instanceof ShadowRoot ? tree : document.head;
  if (home.querySelector(`link[data-tri-style="${name}"]`)) return Promise.resolve();
  const link = document.createElement("link");
  link.rel = "stylesheet";
  link.dataset.triStyle = name;
  link.href = new URL(`./${name}`, import.meta.url).href;
  const ready = new Promise((resolve) => { link.onload = link.onerror = () => resolve(); });
  home.append(link);
  return ready;
}

// Plotly writes its rules into the document; inside a shadow root they have to be repeated.
export function copyPlotlyStyle(root) {
  const tree = root.getRootNode();
  if (!(tree instanceof ShadowRoot) || tree.querySelector("style[data-tri-plotly]")) return;
  const source = document.getElementById("plotly.js-style-global");
  const rules = source && source.sheet ? Array.from(source.sheet.cssRules, (rule) => rule.cssText) : [];
  tree.append(element("style", {dataset: {triPlotly: ""}}, rules.join("\n")));
}
