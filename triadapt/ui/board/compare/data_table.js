// A table of a few dozen rows: sorted by a click on a heading, redrawn in place while the moment moves.
import {element} from "../theme.js";

export class DataTable {
  // columns: {name: {help, show(value) or null for text}}; enter(row, tr): called for each row when it is made.
  constructor(enter = () => {}) {
    this.enter = enter;
    this.sort = null;
    this.head = element("tr");
    this.body = element("tbody");
    this.node = element("div", {className: "tri-table"}, element("table", {}, element("thead", {}, this.head), this.body));
  }

  // rows: {key, cells: {name: value}, lead: node before the first cell, best: names of cells to stress}.
  draw(columns, rows) {
    this.columns = columns;
    this.rows = rows;
    const names = Object.keys(columns).filter((name) => rows.some((row) => row.cells[name] !== null && row.cells[name] !== undefined && row.cells[name] !== ""));
    const shape = JSON.stringify([names, rows.map((row) => row.key)]);
    if (shape !== this.shape) {
      this.shape = shape;
      this.names = names;
      this.#build();
    }
    this.#fill();
  }

  #build() {
    this.head.replaceChildren(...this.names.map((name) => {
      const button = element("button", {type: "button", title: this.columns[name].help}, name);
      button.addEventListener("click", () => {
        const down = this.sort && this.sort.name === name ? !this.sort.down : Boolean(this.columns[name].show);
        this.sort = {name, down};
        this.#fill();
      });
      return element("th", {scope: "col", className: this.columns[name].show ? "tri-number" : ""}, button);
    }));
    this.lines = new Map(this.rows.map((row) => {
      const cells = this.names.map((name, i) => element(i ? "td" : "th", {className: this.columns[name].show ? "tri-number" : "", ...(i ? {} : {scope: "row"})}));
      const line = element("tr", {dataset: {key: row.key}}, ...cells);
      this.enter(row, line);
      return [row.key, {line, cells}];
    }));
    this.body.replaceChildren();
  }

  #fill() {
    this.names.forEach((name, i) => {
      const sorted = this.sort && this.sort.name === name ? (this.sort.down ? "descending" : "ascending") : "none";
      this.head.children[i].setAttribute("aria-sort", sorted);
    });
    for (const row of this.rows) {
      const {cells} = this.lines.get(row.key);
      this.names.forEach((name, i) => {
        const value = row.cells[name];
        const {show} = this.columns[name];
        const text = value === null || value === undefined || value === "" ? "–" : show ? show(value) : String(value);
        const written = `${text}${row.best && row.best.has(name) ? "*" : ""}`;
        if (cells[i].dataset.written === written) return;
        cells[i].dataset.written = written;
        cells[i].classList.toggle("tri-best", Boolean(row.best && row.best.has(name)));
        if (i === 0 && row.lead) cells[i].replaceChildren(row.lead, element("span", {title: text}, text));
        else cells[i].textContent = text;
      });
    }
    const order = this.#ordered().map((row) => this.lines.get(row.key).line);
    if (order.some((line, i) => this.body.children[i] !== line) || this.body.children.length !== order.length) this.body.replaceChildren(...order);
  }

  #ordered() {
    if (!this.sort || !(this.sort.name in this.columns)) return this.rows;
    const {name, down} = this.sort;
    const value = (row) => {
      const cell = row.cells[name];
      return cell !== null && typeof cell === "object" ? cell.mean : cell;
    };
    const missing = (row) => value(row) === null || value(row) === undefined || value(row) === "";
    return [...this.rows].sort((a, b) => missing(a) - missing(b)
      || (missing(a) ? 0 : (typeof value(a) === "number" ? value(a) - value(b) : String(value(a)).localeCompare(String(value(b)))) * (down ? -1 : 1)));
  }

  // Rows of cells as they stand, the first of names; a mean with its interval takes two columns.
  get csv() {
    const isMean = (cell) => cell !== null && typeof cell === "object";
    const wide = new Set(this.names.filter((name) => this.rows.some((row) => isMean(row.cells[name]))));
    const cells = (name, cell) => (wide.has(name) ? [isMean(cell) ? cell.mean : "", isMean(cell) ? cell.half ?? "" : ""] : [cell ?? ""]);
    return [
      this.names.flatMap((name) => (wide.has(name) ? [name, `${name} ±`] : [name])),
      ...this.#ordered().map((row) => this.names.flatMap((name) => cells(name, row.cells[name]))),
    ];
  }

  light(key) {
    for (const [one, {line}] of this.lines || []) line.classList.toggle("tri-lit", one === key);
  }
}
