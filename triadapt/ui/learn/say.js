// Text of a lesson: paragraphs with a little markup. **strong**, *stressed*, `code`, $symbol$, [[term]] or [[term|as written]],
// [words](tune?warmup=30) for a page of the app, [words](https://...) for a paper. Nothing of it comes from outside.
import {element} from "../board/theme.js";
import {math} from "./formula.js";
import {symbol} from "./symbols.js";

const PARTS = /(\*\*.+?\*\*|\*.+?\*|`[^`]+`|\$\w+\$|\[\[[^\]]+\]\]|\[[^\]]+\]\([^)]+\))/;

// The nodes of a line of text. pages: how an address of the app is made from one of a page.
export function inline(text, pages) {
  return text.split(PARTS).filter(Boolean).map((part) => {
    if (part.startsWith("**")) return element("strong", {}, ...inline(part.slice(2, -2), pages));
    if (part.startsWith("`")) return element("code", {}, part.slice(1, -1));
    if (part.startsWith("$")) return inMath(part.slice(1, -1));
    if (part.startsWith("[[")) return term(part.slice(2, -2));
    const link = /^\[([^\]]+)\]\(([^)]+)\)$/.exec(part);
    if (link) return anchor(link[1], link[2], pages);
    if (part.startsWith("*") && part.length > 2) return element("em", {}, part.slice(1, -1));
    return document.createTextNode(part);
  });
}

function inMath(name) {
  const holder = element("span", {className: "ln-inline"});
  holder.innerHTML = math(symbol(name));
  return holder;
}

function term(text) {
  const [name, shown = name] = text.split("|");
  return element("span", {className: "ln-term", tabIndex: 0, role: "term", dataset: {term: name}}, shown);
}

function anchor(text, to, pages) {
  const outside = /^https:/.test(to);
  const href = outside ? to : pages(to);
  if (!href) return document.createTextNode(text); // a page that this reader does not have
  return element("a", {href, ...(outside ? {target: "_blank", rel: "noopener"} : {target: "_self"})}, text);
}

// Paragraphs of a text; lines that begin with "- " are a list.
export function say(text, pages) {
  return text.trim().split(/\n\s*\n/).map((block) => {
    const lines = block.split("\n").map((line) => line.trim()).filter(Boolean);
    if (lines.every((line) => line.startsWith("- "))) {
      return element("ul", {}, ...lines.map((line) => element("li", {}, ...inline(line.slice(2), pages))));
    }
    return element("p", {}, ...inline(lines.join(" "), pages));
  });
}
