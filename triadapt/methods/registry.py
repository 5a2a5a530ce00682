"""The methods triadapt knows. This module stays free of torch: the pages read it too.

A new method is one new folder under `triadapt/methods/` and one line in `METHODS`.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel

if TYPE_CHECKING:
    from triadapt.methods.interface import MethodRun

Allocation = Literal["grows", "prunes", "fixed"]


@dataclass(frozen=True)
class MethodSpec:
    """What the rest of the house needs to know of one method.

    `settings` and `run` are `module:attribute` paths. The settings module must not import torch; the run module may,
    and is only imported in the process that trains.
    """

    name: str
    label: str
    allocation: Allocation
    colour: str
    dash: str
    summary: str
    settings: str
    run: str

    def settings_class(self) -> type[BaseModel]:
        """The pydantic model of this method's own section of a configuration."""
        return _load(self.settings)  # type: ignore[no-any-return]

    def run_class(self) -> type[MethodRun]:
        """The class that drives this method in a training session. Imports torch."""
        return _load(self.run)  # type: ignore[no-any-return]


def _load(path: str) -> Any:
    module, attribute = path.split(":")
    return getattr(import_module(module), attribute)


def _spec(name: str, label: str, allocation: Allocation, colour: str, dash: str, summary: str) -> MethodSpec:
    package = f"triadapt.methods.{name}"
    return MethodSpec(
        name, label, allocation, colour, dash, summary, f"{package}.settings:Settings", f"{package}.run:Run"
    )


# Colours are from the Okabe-Ito palette, told apart by people with any of the common colour-vision deficiencies.
METHODS: dict[str, MethodSpec] = {
    spec.name: spec
    for spec in (
        _spec("triadaptlora", "TriAdaptLoRA", "grows", "#0072B2", "solid", "grows triangular blocks under a threshold"),
        _spec("increlora", "IncreLoRA", "grows", "#E69F00", "dash", "grows the top-h matrices by gradient score"),
        _spec("adalora", "AdaLoRA", "prunes", "#009E73", "dot", "starts wide and prunes triplets to a budget"),
        _spec("lora", "LoRA", "fixed", "#CC79A7", "dashdot", "the same rank for every matrix"),
    )
}
