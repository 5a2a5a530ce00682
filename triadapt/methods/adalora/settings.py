"""Settings of AdaLoRA (arXiv 2303.10512)."""

from pydantic import BaseModel, ConfigDict, Field


class Settings(BaseModel):
    """AdaLoRA starts at `init_rank_ratio` times the reference rank and prunes down to it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    init_rank_ratio: float = Field(1.5, gt=1, le=8, description="Start rank over reference rank; above 1.")
    final_share: float = Field(0.25, ge=0, lt=1, description="Share of the steps at the end with the budget fixed.")
    beta1: float = Field(0.85, gt=0, lt=1, description="Moving average of the sensitivity.")
    beta2: float = Field(0.85, gt=0, lt=1, description="Moving average of the uncertainty.")
    orthogonality: float = Field(0.1, ge=0, description="Coefficient of the orthogonality term, training only.")
