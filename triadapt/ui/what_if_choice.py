"""Which run is replayed and under what: the choice, its controls, and both in the address."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import streamlit as st

from triadapt.config import ConfigError, RunConfig, set_value
from triadapt.growth.preview import pruning_schedule
from triadapt.methods.registry import METHODS
from triadapt.runs.bundle import Readable
from triadapt.runs.changes import flat
from triadapt.runs.info import RunInfo, Scalar
from triadapt.runs.reader import RunReader
from triadapt.ui.compare_selection import Choosable
from triadapt.ui.control_fields import ALL, Field
from triadapt.views.what_if.changes import changed, may_change, value_of
from triadapt.views.what_if.recording import KINDS, Recording, recording_of

RUN, SET = "run", "set"
"""Names in the address: the run, and what is changed, as `interval=10,growth=fixed`."""
PICK, KEPT, SAID = "what_if_pick", "what_if_kept", "what_if_said"
FIRST = "healthy-race."
"""Of the recorded runs the one a visitor without any run sees."""
FINAL_SHARE = Field(
    "adalora.final_share", "Final share", "Share of the steps at the end with AdaLoRA's budget fixed.", 0.0, 0.9, 0.05
)
FIELDS = {field.key: field for field in (*ALL, FINAL_SHARE)}


def what_if_address(run_or_race: str) -> dict[str, str]:
    """What the Tune page's address says to replay a run, or the first run of a race that decides about rank."""
    return {"tab": "What if", RUN: run_or_race}


def what_if_link(run_or_race: str) -> str:
    """The same as a link in text on the front page. It is relative, for the app may be served below another path."""
    return f"[What if?](tune?{urlencode(what_if_address(run_or_race))})"


def choose_run(choosable: Choosable) -> str | None:
    """Draw the choice of a recorded run that decides about rank. Returns its name, None where there is none."""
    titles = {token: title for token, title in choosable.titles().items() if _adapts(choosable, token)}
    if not titles:
        st.info("No run to replay yet. Press Run on the Play page.")
        return None
    # The widget is forgotten with the page, so the visitor has just come; then the address is a wish.
    if st.session_state.get(PICK) not in titles:
        st.session_state[PICK] = _wished(choosable, list(titles))
    chosen = st.selectbox(
        "Recorded run", list(titles), key=PICK, persist_state="page", format_func=titles.__getitem__,
        on_change=_to_another_run,
        help="The run whose decisions are taken again.",
    )  # fmt: skip
    st.session_state[KEPT] = chosen
    return str(chosen)


def _adapts(choosable: Choosable, token: str) -> bool:
    info = choosable.infos.get(token)
    method = token.rpartition(".")[2] if info is None else info.method
    return method in METHODS and METHODS[method].replayed and (info is None or info.last_seq > 0)


def _wished(choosable: Choosable, tokens: list[str]) -> str:
    """What the address names, a race standing for its first run that decides; else what was replayed last, the newest
    run, or a recorded one."""
    st.session_state[SAID] = []
    asked = st.query_params.get(RUN)
    if asked:
        found, lines = choosable.named([asked])
        fitting = [token for token in found if token in tokens]
        if fitting:
            return fitting[0]
        reason = (
            lines[0].removeprefix("runs in the address: ").removesuffix("; it is left out")
            if lines
            else (f"{asked} has no decisions about rank to replay")
        )
        st.session_state[SAID] = [f"{RUN} in the address: {reason}; showing another"]
    kept = st.session_state.get(KEPT)
    if kept in tokens:
        return str(kept)
    stored = [token for token in tokens if token in choosable.infos]
    return next(iter(stored), next((token for token in tokens if token.startswith(FIRST)), tokens[0]))


def _to_another_run() -> None:
    st.session_state[SAID] = []
    st.query_params[RUN] = st.session_state[PICK]
    st.query_params.pop(SET, None)


def controls(token: str, recording: Recording) -> dict[str, Any]:
    """Draw a control for each field that can be replayed: what the address sets, else the run's own value at first.
    Returns the values by dotted name."""
    config, names = recording.config, may_change(recording.config)
    if _key(token, names[0]) not in st.session_state:
        wished = _set_in_address(token, config)
        for name in names:
            st.session_state[_key(token, name)] = wished.get(name, value_of(config, name))
    # Top h has a say where the number of matrices is fixed: for IncreLoRA always.
    growth = st.session_state.get(_key(token, "growth"), config.growth)
    if config.method == "triadaptlora" and growth != "fixed":
        names = tuple(name for name in names if name != "top_h")
    values = {}
    columns = st.columns(3)
    for place, name in enumerate(names):
        with columns[place % 3]:
            values[name] = _widget(_key(token, name), FIELDS[name], recording)
    return values


def _key(token: str, name: str) -> str:
    return f"what_if-{token}-{name}"


def _widget(key: str, field: Field, recording: Recording) -> Any:
    if field.options:
        return st.selectbox(field.label, field.options, key=key, persist_state="page", help=field.help)
    low, high = _bounds(field, recording)
    present = min(max(st.session_state[key], low), high)
    if present != st.session_state[key]:  # what is assigned is sent to the browser, which may have moved on
        st.session_state[key] = present
    if low == high:
        st.caption(f"{field.label}: {present} is all there can be.")
        return present
    return st.slider(field.label, low, high, step=field.step, key=key, persist_state="page", help=field.help)


def _bounds(field: Field, recording: Recording) -> tuple[Any, Any]:
    """Lowest and highest value of a control, the run's own among them."""
    config = recording.config
    present: Any = value_of(config, field.key)
    low, high = field.low, field.high
    if field.key == "warmup":
        high = config.steps - 1
    elif field.key == "interval":
        high = min(high, config.steps)
    elif field.key == "top_h":
        high = len(recording.matrices)
    elif field.key == "reference_rank":
        high = min(high, min(recording.limits))
        if METHODS[config.method].allocation == "prunes":
            high = pruning_schedule(config).init_rank - 1
    kind = type(field.low)
    return kind(min(low, present)), kind(max(high, present))


def _set_in_address(token: str, config: RunConfig) -> dict[str, Any]:
    """What the address sets for this run, as far as it can be replayed; a line in the session for what cannot."""
    if st.query_params.get(RUN) not in (None, token):
        return {}
    found: dict[str, Any] = {}
    for assignment in filter(None, st.query_params.get(SET, "").split(",")):
        data: dict[str, Any] = {}
        try:
            set_value(data, assignment)
            values = flat(data)
            changed(config, {**found, **values})
        except ConfigError as error:
            st.session_state[SAID] += [f"{SET} in the address: {line}; left out" for line in error.lines]
        else:
            found |= values
    return found


def write_address(token: str, changes: Mapping[str, tuple[Scalar, Scalar]]) -> None:
    """Bring the address to the run and what is changed, once the visitor has chosen either."""
    params = st.query_params
    wanted = ",".join(f"{name}={new}" for name, (_, new) in changes.items())
    if not wanted and RUN not in params and SET not in params:
        return
    if params.get(RUN) != token:
        params[RUN] = token
    if not wanted:
        params.pop(SET, None)
    elif params.get(SET) != wanted:
        params[SET] = wanted


def read_recording(choosable: Choosable, token: str) -> Recording:
    """The recording of a run, kept as long as nothing is added to it. Raises RunError."""
    info = choosable.infos.get(token)
    if info is None:
        return _shipped(token, choosable.readable(token))
    return stored_recording(choosable.folder, info)


def stored_recording(folder: Path, info: RunInfo) -> Recording:
    """The same of a run in the folder."""
    given_until = info.branched_from.step if info.branched_from is not None else -1
    return _stored(str(folder / info.id), info.last_seq, info.generation, given_until)


# Not `cache_data`, which would pickle what is read-only anyway.
@st.cache_resource(show_spinner=False, max_entries=64)
def _stored(folder: str, last_seq: int, generation: int, given_until: int) -> Recording:
    return recording_of(RunReader(Path(folder)).events_of(*KINDS), given_until)


@st.cache_resource(show_spinner=False, max_entries=16)
def _shipped(token: str, _run: Readable) -> Recording:
    return recording_of(_run.events())
