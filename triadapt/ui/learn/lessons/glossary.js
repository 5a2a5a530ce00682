// The glossary: every term with its symbol, its shape, the lesson that explains it and the page on which it can be played with.
import {element} from "../../board/theme.js";
import {placeOf} from "../learn.js";

export function build(stage) {
  const find = element("input", {type: "search", className: "ln-find", placeholder: "Find a term", title: "Shows the terms that hold these letters, in name or meaning"});
  find.setAttribute("aria-label", "Find a term");
  const count = element("span", {className: "ln-status", role: "status"});
  const list = element("dl", {className: "ln-glossary"});
  stage.node.append(element("div", {className: "ln-row"}, find, count), list);
  let entries = [];
  const filter = () => {
    const wanted = plain(find.value);
    let shown = 0;
    for (const {node, text} of entries) {
      node.hidden = !text.includes(wanted);
      shown += Number(!node.hidden);
    }
    count.textContent = shown ? `${shown} of ${entries.length} terms` : "No term holds these letters.";
  };
  find.addEventListener("input", filter);
  stage.onData(({terms}) => {
    if (entries.length || !terms) return;
    const titles = new Map(stage.learn.spec.lessons.map((one) => [one.slug, one]));
    entries = terms.map((row) => {
      const links = [];
      if (titles.has(row.lesson)) {
        const button = element("button", {type: "button", className: "ln-link", title: `Open the lesson: ${titles.get(row.lesson).title}`}, `lesson ${titles.get(row.lesson).mark}`);
        button.addEventListener("click", () => stage.learn.go(row.lesson));
        links.push(button);
      }
      const place = stage.pages(placeOf(row.address));
      if (place) links.push(element("a", {href: place, target: "_self", title: "Open the page on which it can be seen or changed"}, "see it move"));
      if (row.paper_url) links.push(element("a", {href: row.paper_url, target: "_blank", rel: "noopener", title: `The paper: ${row.paper_url}`}, row.paper));
      const node = element("div", {id: `term-${row.slug}`},
        element("dt", {}, row.term, ...(row.symbol ? [element("i", {}, row.symbol)] : [])),
        element("dd", {}, row.meaning, ...(row.shape ? [element("em", {}, ` ${row.shape}`)] : []), element("span", {className: "ln-links"}, ...links)));
      return {node, text: plain(`${row.term} ${row.symbol} ${row.meaning}`)};
    });
    list.replaceChildren(...entries.map(({node}) => node));
    filter();
  });
}

// As people type: no case, no hyphens, Delta as d.
const plain = (text) => text.trim().toLowerCase().replaceAll("δ", "d").replace(/[-\s]+/g, " ");
