"""Settings of TriAdaptLoRA (arXiv 2501.08008)."""

from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field


class Settings(BaseModel):
    """TriAdaptLoRA grows every matrix whose normalised Frobenius importance reaches the threshold."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    may_change: ClassVar[tuple[str, ...]] = ("init",)
    """Fields after a change of which a checkpoint still fits."""

    behaviour: Literal["improved", "reference"] = Field(
        "improved",
        title="TriAdaptLoRA decides",
        description="improved: the budget is counted in ranks and never exceeded; reference: as the authors' code "
        "decides, before the optimizer's step, counting matrices.",
    )
    init: Literal["identity", "eye", "zero_core", "gaussian", "zero"] = Field(
        "identity",
        description="Values of new blocks; identity leaves the function unchanged at growth, the others are published. "
        "zero never learns: B and the core start at 0, so no gradient reaches them.",
    )
    scale: Literal["constant", "rank", "blocks"] = Field(
        "constant", description="What alpha is divided by: the reference rank, the current rank, or the blocks so far."
    )
