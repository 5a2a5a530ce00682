"""From a model and data to a race: what would be trained, and the ways to start it."""

from __future__ import annotations

from typing import Any

import streamlit as st
import tomli_w

from triadapt.config import RunConfig, data_problems, parse_config
from triadapt.errors import ConfigError
from triadapt.growth.preview import matrices_of
from triadapt.methods.registry import AT_FIRST
from triadapt.tasks.registry import TASKS
from triadapt.ui.markdown import plain
from triadapt.ui.own.data import DataChoice
from triadapt.ui.own.model import ModelChoice, say_memory


def ready(model: ModelChoice, data: DataChoice) -> None:
    """Draw what there is to say, and the buttons."""
    problems = [*data.problems, *model.problems]
    for line in data.problems:
        st.error(plain(line), icon=":material/error:")
    if data.problems:
        return
    if data.missing:
        st.info(data.missing, icon=":material/edit:")
        return
    if data.task == "causal" and model.look is not None and not model.look.decoder:
        st.info("Plain text needs a decoder: name its folder or its hub id under Model.", icon=":material/edit:")
        return
    values = _told(data, model)
    config = _config(data.task, values, problems)
    if config is None or problems:
        return
    settings: Any = config.task_settings
    tokens = getattr(settings, "max_tokens", 0) or settings.block
    say_memory(
        model, rank=config.reference_rank, batch_size=config.batch_size, tokens=tokens, methods=len(AT_FIRST),
        causal=data.task == "causal",
    )  # fmt: skip
    epochs = f", {config.steps * config.batch_size / data.rows:.1f} times through the rows" if data.rows else ""
    matrices = f"{len(model.picked)} matrices" if model.look else f"about {matrices_of(config)} matrices"
    steps = f"{config.steps} steps of {config.batch_size} rows{epochs}"
    st.caption(f"Proposed: {matrices}, {steps}. Play has all controls.")
    if st.button(
        "Take it to Play",
        type="primary",
        icon=":material/play_circle:",
        key="own_to_play",
        help="Opens Play with this model and these data in its controls; nothing starts by itself.",
    ):
        query = {f"{data.task}.{name}": str(value) for name, value in values.items()}
        st.switch_page("pages/play.py", query_params={"task": data.task, **query})
    with st.expander("On the command line"):
        table = {"methods": list(AT_FIRST), "task": data.task, data.task: values}
        st.code(tomli_w.dumps(table), language="toml")
        st.code("triadapt train mine.toml", language="bash")


def _told(data: DataChoice, model: ModelChoice) -> dict[str, Any]:
    """Values of the section that are not what they would be anyway."""
    fields = TASKS[data.task].settings_class().model_fields
    both = {**data.values, **model.values}
    longest = "block" if "block" in fields else "max_tokens"
    if model.look is not None and 0 < model.look.tokens < fields[longest].default:
        both[longest] = model.look.tokens
    return {name: value for name, value in both.items() if name in fields and value != fields[name].default}


def _config(task: str, values: dict[str, Any], problems: list[str]) -> RunConfig | None:
    try:
        config = parse_config({"task": task, task: values})
        lines = data_problems(config)
    except ConfigError as error:
        config, lines = None, error.lines
    for line in lines:
        if line not in problems:
            st.error(plain(line), icon=":material/error:")
    return None if lines else config
