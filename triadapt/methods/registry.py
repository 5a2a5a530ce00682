"""The methods triadapt knows. This module stays free of torch: the pages read it too.

A new method is one new folder under `triadapt/methods/` and one line in `METHODS`.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel

if TYPE_CHECKING:
    from triadapt.methods.card import Card
    from triadapt.methods.interface import MethodRun

Allocation = Literal["grows", "prunes", "freezes", "fixed"]
RankKind = Literal["allotted", "measured"]
"""`allotted`: a rank that was chosen or granted. `measured`: dW has no such rank; what is recorded in its place is how
many singular values carry 99 % of its energy, whenever they are measured."""


@dataclass(frozen=True)
class MethodSpec:
    """What the rest of the house needs to know of one method.

    `settings`, `card`, `tuner` and `run` are `module:attribute` paths. The modules of the settings and of the card must
    not import torch; the others may, and are only imported in the process that trains. `tuner` is the configuration
    class that PEFT knows. `at_first`: whether a race has the method that names none.
    """

    name: str
    label: str
    allocation: Allocation
    colour: str
    dash: str
    summary: str
    settings: str
    card: str
    tuner: str
    run: str
    rank: RankKind
    at_first: bool

    def settings_class(self) -> type[BaseModel]:
        """The pydantic model of this method's own section of a configuration."""
        return _load(self.settings)  # type: ignore[no-any-return]

    def method_card(self) -> Card:
        """What the method is, for whoever chooses one."""
        return _load(self.card)  # type: ignore[no-any-return]

    def run_class(self) -> type[MethodRun]:
        """The class that drives this method in a training session. Imports torch."""
        return _load(self.run)  # type: ignore[no-any-return]

    @property
    def decides(self) -> bool:
        """Whether ranks change, under a schedule."""
        return self.allocation != "fixed"

    @property
    def replayed(self) -> bool:
        """Whether the schedule lab can draw its decisions ahead, and a recorded run can be decided again."""
        return self.allocation in ("grows", "prunes")

    @property
    def ours(self) -> bool:
        """Whether the tuner is this package's."""
        return self.tuner.startswith("triadapt.")

    @property
    def tuner_name(self) -> str:
        """Name of the configuration class that PEFT knows."""
        return self.tuner.partition(":")[2]


def _load(path: str) -> Any:
    module, attribute = path.split(":")
    return getattr(import_module(module), attribute)


def _spec(
    name: str, label: str, allocation: Allocation, colour: str, dash: str, summary: str, *, tuner: str,
    rank: RankKind = "allotted", at_first: bool = False,
) -> MethodSpec:  # fmt: skip
    """tuner: name of the configuration class; one that stands for itself is PEFT's, `.config:NAME` this package's."""
    package = f"triadapt.methods.{name}"
    where = f"{package}{tuner}" if tuner.startswith(".") else f"peft:{tuner}"
    return MethodSpec(
        name, label, allocation, colour, dash, summary, f"{package}.settings:Settings", f"{package}.card:CARD", where,
        f"{package}.run:Run", rank, at_first,
    )  # fmt: skip


# The first colours are from the Okabe-Ito palette, told apart by people with any of the common colour-vision
# deficiencies; dashes tell the others apart.
METHODS: dict[str, MethodSpec] = {
    spec.name: spec
    for spec in (
        _spec("triadaptlora", "TriAdaptLoRA", "grows", "#0072B2", "solid", "grows triangular blocks under a threshold",
              tuner=".config:TriAdaptLoraConfig", at_first=True),
        _spec("increlora", "IncreLoRA", "grows", "#E69F00", "dash", "grows the top-h matrices by gradient score",
              tuner=".config:IncreLoraConfig", at_first=True),
        _spec("adalora", "AdaLoRA", "prunes", "#009E73", "dot", "starts wide and prunes triplets to a budget",
              tuner="AdaLoraConfig", at_first=True),
        _spec("lora", "LoRA", "fixed", "#CC79A7", "dashdot", "the same rank for every matrix", tuner="LoraConfig",
              at_first=True),
        _spec("tiedlora", "Tied-LoRA", "fixed", "#D55E00", "longdash",
              "one pair of factors for all matrices of a shape", tuner=".config:TiedLoraConfig"),
        _spec("surm", "SURM", "fixed", "#56B4E9", "longdashdot", "structured matrices of any rank instead of a product",
              tuner=".config:SurmConfig", rank="measured"),
        _spec("vera", "VeRA", "fixed", "#AA4499", "dot", "two vectors around random matrices that all share",
              tuner="VeraConfig", rank="measured"),
        _spec("loha", "LoHa", "fixed", "#999933", "dash", "the entrywise product of two products",
              tuner="LoHaConfig", rank="measured"),
        _spec("adamss", "AdaMSS", "freezes", "#8C6BB1", "longdash", "trains subspaces and freezes the least important",
              tuner="AdamssConfig"),
        _spec("qlora", "QLoRA", "fixed", "#777777", "dashdot", "LoRA over weights in 4 bits", tuner="LoraConfig"),
    )
}  # fmt: skip
AT_FIRST = tuple(name for name, spec in METHODS.items() if spec.at_first)
"""The methods of a race that names none."""
