// Opens the packed frame of this file, shows it on a board, and hands the whole page's keys to its scrubber.
import {Board} from "./board.js";
import {SmallPlotly} from "./plot.js";

async function unpacked(text) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

// Space plays and stops; arrows go one step, with shift and page keys an event; home and end to the ends.
function onKey(board, event) {
  const where = event.target;
  if (event.ctrlKey || event.metaKey || event.altKey || where.closest?.("select")) return;
  if ([" ", "Enter"].includes(event.key) && where.closest?.("button, summary, a")) return;
  const {scrubber} = board;
  if (event.key === " ") {
    if (scrubber.playing) scrubber.stop();
    else scrubber.start();
  } else if (where === scrubber.range) return; // has keys of its own
  else if (event.key === "Home") board.scrub(0);
  else if (event.key === "End") board.follow();
  else if (event.key.startsWith("Page") || (event.shiftKey && event.key.startsWith("Arrow"))) {
    scrubber.range.dispatchEvent(new KeyboardEvent("keydown", {key: event.key, shiftKey: event.shiftKey}));
  } else if (event.key === "ArrowRight" || event.key === "ArrowLeft") board.scrub(Math.max(0, board.step + (event.key === "ArrowRight" ? 1 : -1)));
  else return;
  event.preventDefault();
}

const place = document.getElementById("board");
unpacked(document.getElementById("frame").textContent.trim()).then((bytes) => {
  const board = new Board(place, SmallPlotly, {autoplay: true});
  board.push(bytes);
  document.addEventListener("keydown", (event) => onKey(board, event));
  window.board = board;
}).catch((error) => { place.textContent = `The replay cannot be opened: ${error.message}`; });
