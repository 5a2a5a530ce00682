"""Studies: start one, watch it, read what came of it."""

from __future__ import annotations

import sys
import time
from importlib import import_module
from pathlib import Path

import streamlit as st

from triadapt.config import ConfigError
from triadapt.runs.info import RunError
from triadapt.sweeps.library import change_study, find_study, list_studies
from triadapt.sweeps.record import StudyError, StudyInfo, StudyRecord, read_study
from triadapt.sweeps.state import give_order, read_info
from triadapt.ui import manager as managers
from triadapt.ui.markdown import plain
from triadapt.ui.study_processes import StudyProcesses, study_processes
from triadapt.ui.sweep_charts import study_charts
from triadapt.ui.sweep_form import sweep_form
from triadapt.ui.sweep_table import trial_table
from triadapt.views.sweep.recommendation import recommend

REFRESH_SECONDS = 2.0
NEW = "new"
PARAMETER = "study"
OPTUNA = "optuna"


def sweep_section() -> None:
    """A chooser of studies, the chosen one, and the form of a new one."""
    runs = managers.manager().runs
    processes = study_processes(str(runs))
    infos = list_studies(runs)
    _say()
    chosen = _choose(infos)
    if chosen == NEW:
        _new(processes)
        return
    info = next(info for info in infos if info.id == chosen)
    alive = processes.alive(info.id)
    st.session_state["study_drawn"] = info.state, alive
    if OPTUNA not in sys.modules:  # seconds, once a server
        with st.spinner("Opening the study"):
            import_module("triadapt.sweeps.importance")
    every = REFRESH_SECONDS if info.live or alive else None
    st.fragment(_study, run_every=every)(runs, info.id)


def _say() -> None:
    """What went wrong after a press, once."""
    if said := st.session_state.pop("study_said", ""):
        st.error(plain(said), icon=":material/error:")


def _choose(infos: list[StudyInfo]) -> str:
    """The study on view, or `new`; its name stands in the address."""
    labels = {NEW: "New study"} | {info.id: _label(info) for info in infos}
    wanted = st.session_state.pop("study_wanted", None)
    if wanted is None and "study_pick" not in st.session_state:
        wanted = st.query_params.get(PARAMETER)
    if wanted in labels:
        st.session_state["study_pick"] = wanted
    elif wanted:
        st.error(f"study in the address: there is none called {plain(wanted)} here", icon=":material/error:")
    if st.session_state.get("study_pick") not in labels:
        st.session_state["study_pick"] = infos[0].id if infos else NEW
    pick: str = st.selectbox(
        "Study",
        list(labels),
        key="study_pick",
        persist_state="page",
        format_func=labels.__getitem__,
        help="Which study is looked at below, or a new one.",
    )
    if pick == NEW:
        st.query_params.pop(PARAMETER, None)
    else:
        st.query_params[PARAMETER] = pick
    return pick


def _label(info: StudyInfo) -> str:
    made = time.strftime("%d %b %H:%M:%S", time.localtime(info.created)) if info.created else info.id
    return f"{info.name or info.id} · {made}" + (" · damaged" if info.state == "damaged" else "")


def _new(processes: StudyProcesses) -> None:
    st.caption(
        "A study runs every point with every seed, several at a time, and shows what came of it. It goes on while you "
        "look at other pages, and can be paused, stopped and resumed."
    )
    config = sweep_form()
    if config is None:
        return
    try:
        st.session_state["study_wanted"] = processes.start(config)
    except (ConfigError, RunError, OSError) as error:
        st.error(plain(f"The study could not be started: {error}"), icon=":material/error:")
    else:
        st.rerun()


def _study(runs: Path, study_id: str) -> None:
    """One study, drawn anew as long as it runs."""
    processes = study_processes(str(runs))
    try:
        study = read_study(find_study(runs, study_id))
    except StudyError as error:
        st.error(plain(str(error)), icon=":material/error:")
        return
    now = study.info.state, processes.alive(study_id)
    if now != st.session_state.get("study_drawn"):  # the timer of this fragment is set by the page
        st.session_state["study_drawn"] = now
        st.rerun()
    _say()
    _progress(study)
    _buttons(runs, study, processes)
    said = recommend(study)
    if said.text:
        st.info(plain(said.text), icon=":material/lightbulb:")
    # Imported here: it brings Optuna, which reading a study needs too, but no page without one.
    study_charts(study, import_module("triadapt.sweeps.importance").importances(study))
    trial_table(study)


def _progress(study: StudyRecord) -> None:
    info, counts = study.info, study.info.counts
    done = sum(counts.get(state, 0) for state in ("complete", "pruned", "failed"))
    held = info.state == "paused"
    words = {
        "complete": "complete",
        "pruned": "pruned",
        "failed": "failed",
        "running": "running" if info.live and not held else "held",
    }
    told = [f"{counts[state]} {word}" for state, word in words.items() if counts.get(state)]
    spent = [trial.seconds for trial in study.trials if trial.state == "complete"]
    left = info.trials - done
    rate = done / info.seconds if info.seconds and done else 0.0
    ahead = f" · about {_span(left / rate)} left" if info.live and rate and left and not held else ""
    each = f" · {sum(spent) / len(spent):.0f} s a run" if spent else ""
    begun = f"{'Paused: ' if held else ''}{done} of {info.trials} runs: {', '.join(told)}"
    st.progress(min(1.0, done / max(1, info.trials)), text=f"{begun}{each}{ahead}")
    if info.message:
        reason = info.message if info.message.startswith(info.state) else f"{info.state}: {info.message}"
        st.caption(plain(reason[:1].upper() + reason[1:]))


def _span(seconds: float) -> str:
    return (
        f"{seconds:.0f} s"
        if seconds < 90
        else f"{seconds / 60:.0f} min"
        if seconds < 5400
        else f"{seconds / 3600:.1f} h"
    )


def _buttons(runs: Path, study: StudyRecord, processes: StudyProcesses) -> None:
    info = study.info
    folder = find_study(runs, info.id)
    starting = processes.alive(info.id)
    with st.container(horizontal=True):
        if info.state == "paused":
            st.button(
                "Go on",
                icon=":material/play_arrow:",
                key="study_go",
                on_click=give_order,
                args=(folder, "go"),
                help="Lets the study start runs again.",
            )
        elif info.live:
            st.button("Pause", icon=":material/pause:", key="study_pause", on_click=give_order, args=(folder, "pause"),
                      help="Runs under way stop with checkpoints.")  # fmt: skip
        if info.live:
            st.button("Stop", icon=":material/stop:", key="study_stop", on_click=give_order, args=(folder, "stop"),
                      help="It can be resumed.")  # fmt: skip
        if info.resumable and not starting:
            st.button("Resume", icon=":material/play_arrow:", key="study_resume", type="primary",
                      on_click=_resume, args=(processes, folder),
                      help="Starts the study again where it ended; runs go on from their checkpoints.")  # fmt: skip
        if not info.live and not starting and info.state != "damaged":
            st.button("Add a seed", icon=":material/add:", key="study_seed", on_click=_add_seed,
                      args=(processes, study, folder), help="One more run of every point.")  # fmt: skip
        st.download_button("TOML", study.config.to_toml(), file_name=f"{info.id}.toml", icon=":material/download:",
                           key="study_toml", on_click="ignore", help="The study for `triadapt sweep`.")  # fmt: skip


def _resume(processes: StudyProcesses, folder: Path) -> None:
    try:
        processes.resume(folder)
    except OSError as error:
        st.session_state["study_said"] = f"{folder.name} could not be resumed: {error}"


def _add_seed(processes: StudyProcesses, study: StudyRecord, folder: Path) -> None:
    seeds = study.config.seed_list
    try:
        change_study(folder, study.config.model_copy(update={"seeds": (*seeds, max(seeds) + 1)}))
        if not read_info(folder).live:
            processes.resume(folder)
    except (ConfigError, RunError, OSError) as error:
        st.session_state["study_said"] = f"no seed was added: {error}"
