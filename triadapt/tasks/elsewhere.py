"""Training that is not ours: what a configuration says of it. `training/rank_recorder.py` watches it, `imports/` reads
what it left behind."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from triadapt.tasks.registry import NOT_TRAINED_HERE


class Settings(BaseModel):
    """Section `elsewhere` of a configuration."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str = Field("", max_length=300, description="Name or path of the base model.")
    script: str = Field("", max_length=300, description="Name of the program that trained.")
    source: str = Field("", max_length=300, description="Kind of files it was imported from.")


def glance(settings: Settings) -> list[str]:
    """Nothing of it can be trained here."""
    return [NOT_TRAINED_HERE]
