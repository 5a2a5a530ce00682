// Pictures of a panel: two buttons of Plotly's bar save it as SVG or PNG, with a title, a legend and the page's background.
import {readTheme} from "./theme.js";

const PICTURE_TITLE = 46;
const PICTURE_LEGEND = 30;

function barIcon(word) {
  return {
    svg: `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 30 16"><text x="15" y="13" text-anchor="middle" font-family="sans-serif" font-size="13" font-weight="600" fill="#7f7f7f">${word}</text></svg>`,
  };
}

const barButtons = new Map();

// Buttons for the bar of the panel `name`. The same objects at every call: Plotly takes another function for another
// configuration, and then draws the whole chart anew.
export function pictureButtons(name) {
  if (!barButtons.has(name)) {
    barButtons.set(name, ["svg", "png"].map((format) => ({
      name: `save-${format}`, title: `Save as ${format.toUpperCase()}`, icon: barIcon(format.toUpperCase()),
      click: (box) => savePicture(box, name, format),
    })));
  }
  return barButtons.get(name);
}

// What is saved, and under which name: `box` is a chart of the board, `view`, step and theme are those of the board around it.
export function panelPicture(box, name, format) {
  const board = box.closest(".tri-board");
  const panel = box.closest(".tri-panel");
  const theme = readTheme(board);
  const words = (selector) => {
    const found = panel && panel.querySelector(selector);
    const chosen = found && found.querySelector("select"); // a heading that is a choice
    return chosen ? chosen.selectedOptions[0].text : found ? found.textContent.trim() : "";
  };
  const plain = (text) => text.replace(/[^A-Za-z0-9.]+/g, "-").replace(/^-+|-+$/g, "");
  const {view = "", step = "0", moment = `step ${step}`} = board.dataset;
  const named = new Set();
  const data = box.data.map((trace) => {
    const line = (trace.type || "scatter") === "scatter" && trace.name && !(trace.opacity < 0.5) && !named.has(trace.name);
    if (line) named.add(trace.name);
    return {...trace, showlegend: Boolean(line)};
  });
  const legend = named.size > 0;
  const {width, height, margin = {}} = box.layout;
  const below = legend ? PICTURE_LEGEND : 0;
  // A note with a key in it says what the legend says.
  const note = panel && panel.querySelector(".tri-key") ? "" : words(".tri-note");
  const text = [`<b>${words("h3")}</b>`, [note, moment].filter(Boolean).join(", ")].join("<br>");
  const layout = {
    ...box.layout, width, height: height + PICTURE_TITLE + below, paper_bgcolor: theme.background, plot_bgcolor: theme.background,
    margin: {...margin, t: (margin.t || 0) + PICTURE_TITLE, b: (margin.b || 0) + below}, showlegend: legend,
    legend: {orientation: "h", x: 0, xanchor: "left", y: 0, yref: "container", yanchor: "bottom", font: {size: 11, color: theme.text}},
    title: {
      text, x: 0, xref: "container", xanchor: "left", y: 1, yref: "container", yanchor: "top", pad: {l: 8, t: 18}, automargin: false,
      font: {size: 12, color: theme.text, family: theme.font},
    },
  };
  const filename = ["triadapt", plain(view), plain(name), plain(moment)].filter(Boolean).join("-");
  return {figure: {data, layout, config: {}}, options: {format, filename, width, height: layout.height, scale: format === "png" ? 2 : 1}};
}

function savePicture(box, name, format) {
  const {figure, options} = panelPicture(box, name, format);
  return window.Plotly.downloadImage(figure, options);
}
