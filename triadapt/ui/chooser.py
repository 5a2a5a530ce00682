"""Which race is on view, and the list to choose another from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from triadapt.runs.info import RunInfo
from triadapt.ui.address import on_view
from triadapt.ui.showing import Shown, recorded_titles
from triadapt.ui.titles import method_label, race_title

MOST = 30
WIDTH = 560  # of the longest name that a race of a few methods gets by itself


def choices(infos: Sequence[RunInfo], most: int = MOST) -> dict[str, str]:
    """What can be shown, by its name in the address: the newest races first, then the recorded ones; not the trials of
    studies, of which there are too many. No two are called the same, for the browser tells Streamlit the name that was
    chosen."""
    races: dict[str, list[RunInfo]] = {}
    for info in infos:
        if info.study:
            continue
        races.setdefault(info.race or info.id, []).append(info)
    found: dict[str, str] = {}
    for view, members in list(races.items())[:most]:
        title = race_title(members)
        found[view] = f"{title} · {view}" if title in found.values() else title
    return found | {slug: f"Recorded: {title}" for slug, (title, _) in recorded_titles().items()}


def race_chooser(race: Shown | None, choices: Mapping[str, str]) -> None:
    """The list of races. It follows the address, so that Run and links move it too."""
    view = race.view if race else None
    named = dict(choices)
    if race is not None and view is not None and view not in named:
        infos = [info for info, _ in race.runs]
        alone = f" · {method_label(infos[0])} alone" if view == infos[0].id else ""
        named = {view: f"{race_title(infos)}{alone}", **named}
    options = list(named)
    # A new list each time the view changes, and no callback: the browser may send the old list once more along with
    # its next request, and must not move the view back by it. Nor does a list take up that its choice is called
    # differently now.
    state = named.get(view, "").rpartition(" · ")[2] if view is not None else ""
    chosen = st.selectbox(
        "On view", options, index=None if view is None else options.index(view),
        key=f"chooser-{on_view().turn}-{view}-{state}", format_func=lambda name: named.get(name, name),
        label_visibility="collapsed", placeholder="No race yet", width=WIDTH,
        help="Which race the board below shows.",
    )  # fmt: skip
    if chosen is not None and chosen != view:
        on_view().turn_to(chosen)
        st.rerun()
