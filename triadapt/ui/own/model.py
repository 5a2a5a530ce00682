"""Which model, and which of its matrices: looked at before anything is loaded."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
import psutil
import streamlit as st

from triadapt.errors import ConfigError
from triadapt.pretrained.adapt import chosen, written
from triadapt.pretrained.look import ModelLook, fetched_look, look_at
from triadapt.pretrained.memory import estimate
from triadapt.pretrained.places import Place, modules_of, why_these
from triadapt.pretrained.settings import Weights
from triadapt.pretrained.source import local_folder
from triadapt.ui.markdown import plain

MODEL, REVISION, ADAPT, WEIGHTS = "own_model", "own_revision", "own_adapt", "own_weights"
GIB = 1024**3


@dataclass(frozen=True)
class ModelChoice:
    """values: of the model's fields in a section. look: what the model is, None while that is not known. picked: its
    matrices that get an adapter."""

    values: dict[str, str]
    look: ModelLook | None
    picked: list[Place]
    problems: list[str]


def choose_model(section: str) -> ModelChoice:
    """Draw the choice of a model. section: of the task, for words about its fields."""
    model = st.text_input(
        "Model", "minilm", key=MODEL, persist_state="session",
        help="minilm, which comes with triadapt, the folder of a saved transformers model, or a hub id such as "
        "answerdotai/ModernBERT-base. Weights must be safetensors.",
    ).strip()  # fmt: skip
    revision = ""
    if _of_hub(model):
        with st.expander("Revision"):
            revision = st.text_input(
                "Revision", "", key=REVISION, persist_state="session", label_visibility="collapsed",
                placeholder="main", help="Branch, tag or commit of a hub id.",
            ).strip()  # fmt: skip
    values = {"model": model, "revision": revision}
    field = f"{section}.model"
    try:
        look = look_at(model, field, revision)
        if look is None:
            look = _asked(model, field, revision)
    except ConfigError as error:
        st.error(plain(error.lines[0]), icon=":material/error:")
        return ModelChoice(values, None, [], error.lines)
    if look is None:
        st.caption("Not in this machine's cache. Training would download it; the button asks for a few kilobytes only.")
        return ModelChoice(values, None, [], [])
    return _matrices(values, look, section)


def _of_hub(model: str) -> bool:
    try:
        return model != "minilm" and local_folder(model, "model") is None
    except ConfigError:
        return False


def _asked(model: str, field: str, revision: str) -> ModelLook | None:
    known: dict[tuple[str, str], ModelLook] = st.session_state.setdefault("own_looks", {})
    key = (model, revision)
    if key not in known and st.button(
        "Ask the hub what it is",
        icon=":material/search:",
        key="own_ask",
        help="Fetches what the hub says of the model, not its weights.",
    ):
        with st.spinner("Asking the hub"):
            known[key] = fetched_look(model, field, revision)
    return known.get(key)


def _matrices(values: dict[str, str], look: ModelLook, section: str) -> ModelChoice:
    longest = f", up to {look.tokens:,} tokens" if look.tokens else ""
    kind = "decoder" if look.decoder else "encoder"
    count = look.parameters
    size = f"{count / 1e6:,.1f} M" if count >= 1e5 else f"{count:,}"
    st.caption(
        f":material/check_circle: {plain(look.model_type)}, {kind}: {size} parameters, "
        f"{look.layers} blocks of width {look.hidden or '?'}{longest}"
    )
    adapt = str(st.session_state.get(ADAPT, ""))
    problems: list[str] = []
    try:
        picked = chosen(look.places, adapt, f"{section}.adapt")
    except ConfigError as error:
        problems, picked = error.lines, list(look.places)
    # One label throughout: a new one would be a new expander, closed again at every tick.
    with st.expander("Matrices to adapt", expanded=bool(problems)):
        adapt = st.text_input(
            "Adapt", key=ADAPT, persist_state="session", placeholder="all of every block",
            help="Places, such as q, v, 3.q or 0-5.up. Ticks below write it for you; empty: all.",
        ).strip()  # fmt: skip
        for line in problems:
            st.error(plain(line), icon=":material/error:")
        _grid(look, picked)
        st.caption(f"Left empty: {why_these(look.model_type)}.")
    st.caption(f"Adapted: {len(picked)} of {len(look.places)} matrices")
    weights: Weights = (
        st.segmented_control(
            "Frozen weights", ["float32", "bfloat16", "4-bit"], default="float32", key=WEIGHTS, required=True,
            persist_state="session", help="How the weights that do not train are held. 4-bit (NF4) needs bitsandbytes.",
        )
        or "float32"
    )  # fmt: skip
    return ModelChoice({**values, "adapt": adapt, "weights": weights}, look, picked, problems)


def _grid(look: ModelLook, picked: list[Place]) -> None:
    """A tick for every matrix, a row a block, as on the rank map."""
    names, modules = {place.name for place in picked}, modules_of(look.places)
    layers = sorted({place.layer for place in look.places})
    ticked_at = {(place.layer, place.module): place.name in names for place in look.places}
    ticks = pd.DataFrame(
        {module: [ticked_at.get((layer, module)) for layer in layers] for module in modules},
        index=pd.Index(layers, name="block"),
        dtype="boolean",
    )
    key = f"own_ticks-{hash((look.places, frozenset(names)))}"

    def ticked() -> None:
        changes = st.session_state[key]["edited_rows"]
        now = set(names)
        for row, cells in changes.items():
            for module, on in cells.items():
                of_cell = {p.name for p in look.places if (p.layer, p.module) == (layers[int(row)], module)}
                now = now | of_cell if on else now - of_cell
        if now:  # an adapter needs one
            st.session_state[ADAPT] = written(look.places, [place for place in look.places if place.name in now])

    columns = {module: st.column_config.CheckboxColumn(module, width=56) for module in modules}
    st.data_editor(ticks, key=key, on_change=ticked, column_config=columns, height=min(300, 35 * (len(layers) + 1) + 2))


def say_memory(
    choice: ModelChoice, *, rank: int, batch_size: int, tokens: int, methods: int, causal: bool
) -> None:  # fmt: skip
    """What a race would take, beside what this machine has."""
    if choice.look is None:
        return
    weights: Weights = choice.values.get("weights", "float32")  # type: ignore[assignment]
    memory = estimate(
        choice.look, choice.picked, weights=weights, rank=rank, batch_size=batch_size, tokens=tokens, causal=causal
    )  # fmt: skip
    free = psutil.virtual_memory().available / GIB
    one, race = memory.of_race(1) / GIB, memory.of_race(methods) / GIB
    words = (
        f"about {max(one, 0.1):.1f} GiB for one method, {max(race, 0.1):.1f} GiB for {methods} side by side, at "
        f"{batch_size} rows of "
        f"{tokens} tokens; {free:.0f} GiB are free on this machine"
    )
    if race > 0.8 * free:
        st.warning(f"Memory: {words}. On a GPU its own memory counts.", icon=":material/memory:")
    else:
        st.caption(f":material/memory: Memory: {words}")
