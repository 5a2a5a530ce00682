// What a board says that has nothing to draw.

export function emptyWords(runs) {
  const states = runs.map((run) => run.status.state);
  const all = (...names) => states.length > 0 && states.every((state) => names.includes(state));
  const away = runs.filter((run) => !run.started && run.told > 0 && !run.error);
  if (away.length) {
    const step = Math.max(-1, ...away.map((run) => run.toldStep ?? -1));
    return `Loading: the run is ${away[0].status.state}${step < 0 ? "" : ` at step ${step}`}, and its events are on their way.`;
  }
  if (all("damaged")) return "There is nothing to draw: the file cannot be read.";
  if (all("failed", "damaged", "stopped", "interrupted")) return "There is nothing to draw: the run ended before its first event.";
  if (states.includes("queued")) return "The run waits for its turn. Ranks appear here as soon as it starts.";
  if (states.length) return "The run is starting: model and data are being made.";
  return "Nothing runs yet. Choose methods and a task, then press Run: ranks grow here as you watch.";
}
