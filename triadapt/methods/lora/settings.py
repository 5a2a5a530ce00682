"""Settings of plain LoRA: it has none of its own, its rank is the reference rank."""

from pydantic import BaseModel, ConfigDict


class Settings(BaseModel):
    """No settings beyond the shared ones."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
