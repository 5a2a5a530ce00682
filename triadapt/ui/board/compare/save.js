// What is taken away from a panel that Plotly does not draw: its picture as SVG or PNG, its numbers as CSV.
import {element} from "../theme.js";

const NS = "http://www.w3.org/2000/svg";
const PAD = 14;
const COLUMNS = 6;
const TITLE = 18;
const FOOT = 16;
const STYLED = ["fill", "stroke", "stroke-width", "stroke-dasharray", "font-size", "text-anchor", "dominant-baseline", "font-weight", "display"];

// Buttons for a panel. pictures(): a list of {svg, title, foot}; table(): rows of cells, the first of names.
export function saveButtons(name, comparison, pictures, table) {
  const filename = () => ["triadapt-compare", name, comparison.root.dataset.moment].join("-").replace(/[^A-Za-z0-9.]+/g, "-");
  const make = (word, title, act) => {
    const button = element("button", {className: "tri-small tri-save", type: "button", title}, word);
    button.addEventListener("click", () => {
      comparison.queue.catchUp(button);
      act();
    });
    return button;
  };
  const picture = () => sheet(pictures().filter(({svg}) => svg.isConnected && svg.getAttribute("width")), comparison);
  return [
    ...(pictures ? [
      make("SVG", "Save the picture as SVG", () => save(new Blob([picture().text], {type: "image/svg+xml"}), `${filename()}.svg`)),
      make("PNG", "Save the picture as PNG", async () => save(await asPng(picture()), `${filename()}.png`)),
    ] : []),
    make("CSV", "Save the numbers as CSV", () => save(new Blob([csvText(table())], {type: "text/csv"}), `${filename()}.csv`)),
  ];
}

export function csvText(rows) {
  const cell = (value) => (/[",\n]/.test(String(value)) ? `"${String(value).replaceAll('"', '""')}"` : String(value ?? ""));
  return `${rows.map((row) => row.map(cell).join(",")).join("\n")}\n`;
}

// The pictures of a panel on one sheet, colours and fonts written into it: {text, width, height}.
function sheet(pictures, comparison) {
  const {theme} = comparison;
  const size = (svg) => [Number(svg.getAttribute("width")), Number(svg.getAttribute("height"))];
  const columns = Math.min(COLUMNS, pictures.length);
  const wide = Math.max(...pictures.map(({svg}) => size(svg)[0]), 120);
  const high = Math.max(...pictures.map(({svg}) => size(svg)[1])) + TITLE + FOOT;
  const width = Math.ceil(PAD + columns * (wide + PAD));
  const height = Math.ceil(PAD + Math.ceil(pictures.length / columns) * (high + PAD));
  const root = document.createElementNS(NS, "svg");
  Object.entries({xmlns: NS, width, height, viewBox: `0 0 ${width} ${height}`, "font-family": "sans-serif"}).forEach(([key, value]) => root.setAttribute(key, value));
  const put = (parent, tag, values, text) => {
    const node = document.createElementNS(NS, tag);
    Object.entries(values).forEach(([key, value]) => node.setAttribute(key, value));
    if (text !== undefined) node.textContent = text;
    parent.append(node);
    return node;
  };
  put(root, "rect", {width, height, fill: theme.background});
  pictures.forEach(({svg, title, foot}, i) => {
    const [x, y] = [PAD + (i % columns) * (wide + PAD), PAD + Math.floor(i / columns) * (high + PAD)];
    const group = put(root, "g", {transform: `translate(${x} ${y})`});
    const most = Math.floor(wide / 6);
    put(group, "text", {y: 11, "font-size": 12, "font-weight": 600, fill: theme.text}, title.split("\n")[0].slice(0, most));
    const body = put(group, "g", {transform: `translate(0 ${TITLE})`});
    body.append(...styledCopy(svg).childNodes);
    put(group, "text", {y: TITLE + size(svg)[1] + 11, "font-size": 10, fill: theme.quiet}, foot.slice(0, Math.floor(wide / 4.6)));
  });
  return {text: new XMLSerializer().serializeToString(root), width, height};
}

// A copy that needs no style sheet.
function styledCopy(svg) {
  const copy = svg.cloneNode(true);
  const [from, to] = [svg, copy].map((node) => [...node.querySelectorAll("*")]);
  from.forEach((node, i) => {
    const style = getComputedStyle(node);
    for (const name of STYLED) if (style.getPropertyValue(name)) to[i].setAttribute(name, style.getPropertyValue(name));
  });
  return copy;
}

async function asPng({text, width, height}) {
  const image = new Image();
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(text)}`;
  await image.decode();
  const canvas = Object.assign(document.createElement("canvas"), {width: 2 * width, height: 2 * height});
  canvas.getContext("2d").drawImage(image, 0, 0, 2 * width, 2 * height);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
}

function save(blob, name) {
  const link = element("a", {href: URL.createObjectURL(blob), download: name});
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}
