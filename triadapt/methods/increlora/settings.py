"""Settings of IncreLoRA (arXiv 2308.12043)."""

from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field


class Settings(BaseModel):
    """IncreLoRA grows the `top_h` matrices with the largest gradient score."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    may_change: ClassVar[tuple[str, ...]] = ("beta1", "beta2", "orthogonality", "block_warmup")
    """Fields after a change of which a checkpoint still fits."""

    unused: ClassVar[tuple[str, ...]] = ("growth",)
    """Fields of a run that it makes nothing of."""

    behaviour: Literal["improved", "reference"] = Field(
        "improved",
        title="IncreLoRA decides",
        description="As improved here; reference: as the authors' code decides, before the optimizer's step.",
    )
    scale: Literal["constant", "rank"] = Field(
        "constant", description="What alpha is divided by: the reference rank or the current rank."
    )
    beta1: float = Field(0.85, gt=0, lt=1, description="Moving average of the score.")
    beta2: float = Field(0.85, gt=0, lt=1, description="Moving average of its uncertainty.")
    orthogonality: float = Field(0.1, ge=0, description="Coefficient of the orthogonality term, training only.")
    advance_learning: bool = Field(True, description="Train a reserve triplet before it is granted.")
    block_warmup: bool = Field(True, description="Restart the learning-rate warm-up for each new block.")
