"""What may be changed in a replay, and the configuration that has it changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from triadapt.config import ConfigError, RunConfig, parse_config
from triadapt.methods.registry import METHODS
from triadapt.runs.changes import keep_scale, with_values
from triadapt.runs.info import Scalar

CHANGEABLE: dict[str, tuple[str, ...]] = {
    "grows": ("reference_rank", "warmup", "interval", "growth", "top_h", "add_r"),
    "prunes": ("reference_rank", "warmup", "interval"),
    "fixed": (),
}


def may_change(config: RunConfig) -> tuple[str, ...]:
    """Fields, by dotted name, whose change can be replayed on what a run of this configuration recorded."""
    names = CHANGEABLE[METHODS[config.method].allocation]
    if config.method == "increlora":
        names = tuple(name for name in names if name != "growth")
    return (*names, "adalora.final_share") if config.method == "adalora" else names


def changed(config: RunConfig, values: Mapping[str, Any]) -> tuple[RunConfig, dict[str, tuple[Scalar, Scalar]]]:
    """The configuration with other `values`, by dotted name, and what differs, as (before, after).

    Another budget leaves the scale alpha / reference_rank as it was, and AdaLoRA the rank it starts from, for these are
    what the recorded scores were made under. Raises ConfigError with one line a wrong field.
    """
    allowed = may_change(config)
    wrong = [name for name in values if name not in allowed]
    if wrong:
        raise ConfigError([_refusal(config, name, values[name], allowed) for name in wrong])
    data = with_values(config.as_dict(), values)
    keep_scale(config, data)
    new = parse_config(data)
    pairs = {name: (value_of(config, name), value_of(new, name)) for name in allowed}
    return new, {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def value_of(config: RunConfig, name: str) -> Scalar:
    """The value of a field by its dotted name."""
    value: Any = config
    for part in name.split("."):
        value = getattr(value, part)
    return value  # type: ignore[no-any-return]


def _refusal(config: RunConfig, name: str, value: Any, allowed: tuple[str, ...]) -> str:
    label = METHODS[config.method].label
    if not allowed:
        return f"{name} = {value!r}: {label} has no decisions to replay; choose a run of a method that adapts"
    return f"{name} = {value!r}: cannot be replayed for {label}; what can: {', '.join(allowed)}"
