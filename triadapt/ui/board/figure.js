// A Plotly figure that is redrawn in place: Streamlit's own chart is torn down with every change. Not part of a replay.
import {loadPlotly} from "./load_plotly.js";
import {applyTheme, readTheme} from "./theme.js";

// The page's colours in a figure that comes without any.
function dressed(layout, theme) {
  const dress = {...layout, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", uirevision: "kept", autosize: true};
  dress.font = {family: theme.font, color: theme.text, size: 12, ...layout.font};
  for (const [key, axis] of Object.entries(layout)) {
    if (!/^[xy]axis\d*$/.test(key)) continue;
    dress[key] = {
      gridcolor: theme.grid, zerolinecolor: theme.grid, linecolor: theme.grid, showline: true, tickfont: {color: theme.quiet},
      automargin: true, ...axis,
    };
  }
  return dress;
}

// The same object at every draw: Plotly takes another one for another configuration, and draws the whole chart anew.
function configOf(mount) {
  mount.config ??= {
    displaylogo: false, responsive: true, showTips: false, doubleClick: "reset", modeBarButtons: [["toImage", "resetScale2d"]],
    toImageButtonOptions: {format: "svg", filename: mount.name},
  };
  return mount.config;
}

function draw(mount) {
  if (!mount.Plotly || !mount.text || !mount.root.clientWidth) return;
  const theme = readTheme(mount.root);
  applyTheme(mount.root, theme);
  const {data, layout} = JSON.parse(mount.text);
  mount.Plotly.react(mount.root, data, dressed(layout, theme), configOf(mount));
  if (mount.bound) return;
  mount.bound = true;
  mount.root.on("plotly_click", (event) => {
    const point = event.points.find((one) => one.customdata !== undefined && one.customdata !== null);
    if (point) mount.ask("clicked", point.customdata);
  });
}

// Entry of a Streamlit component (v2); data is {name, label, height, figure}, the figure as JSON text.
export default function mountFigure({parentElement, data, setTriggerValue}) {
  let mount = parentElement.triFigure;
  if (!mount) {
    const root = document.createElement("div");
    root.setAttribute("role", "img");
    parentElement.append(root);
    mount = {root};
    parentElement.triFigure = mount;
    mount.sizes = new ResizeObserver(() => draw(mount));
    mount.sizes.observe(root);
    mount.scheme = window.matchMedia("(prefers-color-scheme: dark)");
    mount.redraw = () => draw(mount);
    mount.scheme.addEventListener("change", mount.redraw);
    loadPlotly().then((Plotly) => { mount.Plotly = Plotly; draw(mount); }).catch((error) => { root.textContent = error.message; });
  }
  mount.ask = setTriggerValue || (() => {});
  mount.name = data.name;
  mount.root.style.minHeight = `${data.height}px`; // the page does not jump when Plotly has come, or draws anew
  mount.root.setAttribute("aria-label", data.label);
  mount.root.dataset.testid = `figure-${data.name}`;
  if (data.figure !== mount.text) {
    mount.text = data.figure;
    draw(mount);
  }
  return () => setTimeout(() => {
    if (mount.root.isConnected) return;
    mount.sizes.disconnect();
    mount.scheme.removeEventListener("change", mount.redraw);
    if (mount.Plotly) mount.Plotly.purge(mount.root);
    delete parentElement.triFigure;
  }, 0);
}
