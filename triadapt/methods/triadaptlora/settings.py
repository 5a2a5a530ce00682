"""Settings of TriAdaptLoRA (arXiv 2501.08008)."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Settings(BaseModel):
    """TriAdaptLoRA grows every matrix whose normalised Frobenius importance reaches the threshold."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    behaviour: Literal["improved"] = Field(
        "improved", description="improved: growth leaves the function unchanged, constant scale, budget never exceeded."
    )
