"""Which runs the compare page looks at, and their names in the address.

As on the play page, the session's own word counts; the address is a wish only when a visitor comes to the page, or goes
back or forward.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from triadapt.methods.registry import METHODS
from triadapt.runs.bundle import BundleRun, Readable
from triadapt.runs.info import DamagedRunError, RunError, RunInfo
from triadapt.runs.library import checked_id, list_runs
from triadapt.runs.named import HEALTHY
from triadapt.runs.reader import RunReader
from triadapt.tasks.registry import KNOWN_TASKS
from triadapt.ui.address import on_view
from triadapt.ui.showing import recorded_runs, recorded_titles
from triadapt.views.compare.reading import read_record
from triadapt.views.compare.record import RunRecord

PARAMETER = "runs"
PICK, KEPT, SAID = "compare_pick", "compared", "compare_said"
MOST = 24


class Choosable:
    """The runs that can be compared: those stored, newest first, those of the recorded races, the trials of studies."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.infos = {info.id: info for info in list_runs(folder)}
        self._recorded: dict[str, tuple[str, BundleRun]] = {}
        self._races: dict[str, list[str]] = {}
        for info in self.infos.values():
            if info.race:
                self._races.setdefault(info.race, []).append(info.id)
        for slug, (title, _) in recorded_titles().items():
            runs = {f"{slug}.{run.info().method}": run for run in recorded_runs(slug)}
            self._recorded |= {token: (title, run) for token, run in runs.items()}
            self._races[slug] = list(runs)

    def tokens(self) -> list[str]:
        """Names in the address, of what can be read; the many trials of studies come last."""
        whole = {token: info for token, info in self.infos.items() if info.state != "damaged"}
        lone = [token for token, info in whole.items() if not info.study]
        return [*lone, *self._recorded, *(token for token, info in whole.items() if info.study)]

    def first(self) -> list[str]:
        """What is compared when nobody said what: the race last looked at on the play page, else the newest stored race
        of several runs, else the recorded one in which all is well."""
        looked_at = [on_view().race] if on_view().race else []
        stored = [name for name, tokens in self._races.items() if name not in recorded_titles() and len(tokens) > 1]
        for name in (*looked_at, *stored, HEALTHY, *self._races):
            begun = [token for token in self._races.get(str(name), []) if self._has_begun(token)]
            if len(begun) > 1:
                return begun[:MOST]
        return []

    def _has_begun(self, token: str) -> bool:
        return token in self._recorded or (token in self.tokens() and self.infos[token].last_step >= 0)

    def live(self, token: str) -> bool:
        """Whether that run may still change by itself."""
        return token in self.infos and self.infos[token].live

    def titles(self) -> dict[str, str]:
        """What a visitor chooses by. No two are the same, for the browser tells Streamlit the title that was chosen."""
        found = {token: self._title(token) for token in self.tokens()}
        counts = Counter(found.values())
        return {token: title if counts[title] == 1 else f"{title} · {token}" for token, title in found.items()}

    def _title(self, token: str) -> str:
        if token in self._recorded:
            title, run = self._recorded[token]
            return f"{METHODS[run.info().method].label} · recorded: {title}"
        info = self.infos[token]
        spec, task = METHODS.get(info.method), KNOWN_TASKS.get(info.task)
        made = time.strftime("%d %b %H:%M:%S", time.localtime(info.created)) if info.created else token[:15]
        if info.study:  # whose name holds the study's, the point and the seed
            return f"Study {info.name or info.study} · {made}"
        parts = [spec.label if spec else info.method, f"seed {info.config.get('seed', '?')}", made]
        # The name a race gets by itself says no more than methods and task.
        automatic = task is not None and info.name.endswith(f" on {task.label}")
        parts.append(task.label if task is not None and automatic else info.name or token)
        return " · ".join(parts)

    def named(self, names: Iterable[str]) -> tuple[list[str], list[str]]:
        """The runs of these names, a race's name standing for all of its runs, and a line for each name of none."""
        found: dict[str, None] = {}
        lines = []
        for name in dict.fromkeys(name.strip() for name in names if name.strip()):
            try:
                found |= dict.fromkeys(self._one(name))
            except RunError as error:
                lines.append(f"runs in the address: {error}; it is left out")
        if len(found) > MOST:
            lines.append(
                f"runs in the address: {len(found)} runs; at most {MOST} can be compared, the first {MOST} are"
            )
        return list(found)[:MOST], lines

    def _one(self, name: str) -> list[str]:
        if name in self._recorded:
            return [name]
        if name in self._races:
            readable = [token for token in self._races[name] if token in self.tokens()]
            if readable:
                return readable
        info = self.infos.get(name)
        if info is None:
            checked_id(name)
            raise RunError(f"there is no run or race {name!r}; recorded races are {', '.join(recorded_titles())}")
        if info.state == "damaged":
            raise DamagedRunError(f"{name} is damaged ({info.error})")
        return [name]

    def readable(self, token: str) -> Readable:
        """The run of that name, to read its events."""
        return self._recorded[token][1] if token in self._recorded else RunReader(self.folder / token)


def read_token(folder: Path, token: str) -> tuple[RunInfo, RunRecord | None]:
    """The run of that name in the address, and what is recorded of it; None before it starts.

    Raises DamagedRunError."""
    slug = token.partition(".")[0]
    if slug in recorded_titles():
        run = next(run for run in recorded_runs(slug) if f"{slug}.{run.info().method}" == token)
        return run.info(), _recorded_record(token, run)
    info = RunReader(folder / token).info()
    if info.state == "damaged":
        raise DamagedRunError(f"{token} is damaged ({info.error})")
    return info, _stored_record(str(folder / token), info.last_seq, info.generation)


# Not `cache_data`, which would pickle what is read-only anyway.
@st.cache_resource(show_spinner=False, max_entries=4 * MOST)
def _stored_record(folder: str, last_seq: int, generation: int) -> RunRecord | None:
    return read_record(RunReader(Path(folder)))


@st.cache_resource(show_spinner=False, max_entries=4 * MOST)
def _recorded_record(token: str, _run: BundleRun) -> RunRecord | None:
    return read_record(_run)


def enter_comparison(choosable: Choosable) -> None:
    """The visitor came to the page: what the address names, else what was compared last, else the newest race."""
    st.session_state[SAID] = []
    if PARAMETER in st.query_params:
        _wish(choosable)
    elif KEPT not in st.session_state:
        st.session_state[KEPT] = choosable.first()


def _wish(choosable: Choosable) -> None:
    names = [name for text in st.query_params.get_all(PARAMETER) for name in text.split(",")]
    st.session_state[KEPT], st.session_state[SAID] = choosable.named(names)
    st.session_state.pop(PICK, None)


def choose_runs(choosable: Choosable) -> list[str]:
    """Draw the choice and bring the address to it. Returns the names of the runs."""
    asked = st.query_params.get(PARAMETER, "")
    if asked != ",".join(st.session_state[KEPT]) and getattr(get_script_run_ctx(), "is_history_navigation", False):
        _wish(choosable)
    titles = choosable.titles()
    tokens = list(titles)
    # A run may be gone since, and a choice that is no option is an error.
    kept = [token for token in st.session_state.get(PICK, st.session_state[KEPT]) if token in tokens]
    if kept != st.session_state.get(PICK):
        st.session_state[PICK] = kept
    chosen = st.multiselect(
        "Runs", tokens, key=PICK, persist_state="page", format_func=titles.__getitem__, max_selections=MOST,
        select_all=False, placeholder="Choose runs to compare", on_change=_forget_lines, label_visibility="collapsed",
        help="The runs that stand side by side below, in this order.",
    )  # fmt: skip
    st.session_state[KEPT] = chosen
    address = ",".join(chosen)
    if address and address != st.query_params.get(PARAMETER):
        st.query_params[PARAMETER] = address
    elif not address:
        st.query_params.pop(PARAMETER, None)
    return chosen


def _forget_lines() -> None:
    # The visitor has chosen since: what the address said wrongly is history.
    st.session_state[SAID] = []
