"""The tour of the play page: its stops, and the button that starts it.

It starts by itself on a browser's first visit (`ui/tour/tour.js`); whoever was sent to a race or to a class, or is a
student without a word of it in the address, is left alone, and so is a browser that a program drives.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

from triadapt.ui.board_component import component, static_url
from triadapt.ui.classroom.room import student

KEY = "tour"


@dataclass(frozen=True)
class Stop:
    """One stop. at: CSS selectors of what it points at, one light around all of it. sidebar: whether that is in the
    sidebar, which a narrow window keeps closed."""

    name: str
    at: tuple[str, ...]
    title: str
    text: str
    sidebar: bool = False


STOPS = (
    Stop("race", (".st-key-method", ".st-key-task"), "Who races, on what",
         "Choose the methods and the task. They race in lockstep, with the same data, seed and budget.", sidebar=True),
    Stop("schedule", (".st-key-schedule",), "When rank may move",
         "The budget, and when events come. The sketch below shows what each method will do before a second is spent "
         "on training.", sidebar=True),
    Stop("run", (".st-key-run_button",), "Start your own",
         "Run starts the race that is set up at the left. A recorded one plays until then."),
    Stop("maps", ("[data-testid=rank-map]",), "Where the rank is",
         "One map a method: layers from the bottom up, one cell a matrix. On the planted task an outline marks where "
         "rank is needed; click a cell to pin its matrix."),
    Stop("why", ("[data-testid=why]",), "Why did it grow?",
         "The importance of every matrix at the event on view, the threshold, and who passed it. Slow motion shows the "
         "decision in four beats."),
    Stop("scrubber", ("[data-testid=scrubber]",), "Back in time",
         "Drag it, and all panels go to that step. A tick is a rank event; live follows the end."),
    Stop("health", ("[data-testid=health]",), "Is it adapting at all?",
         "These lines say whether events fire and how much of the rank lands where it is needed. The Learn page, in "
         "the menu, explains the methods by doing."),
)  # fmt: skip


def tour() -> None:
    """Draw the button, whose place is always there, and start the tour on a first visit."""
    draw = component("triadapt_tour", "tour.js", *static_url("tour"))
    data = {"stops": [asdict(stop) for stop in STOPS], "by_itself": student() is None}
    draw(data=data, key=KEY, width="content")
