"""triadapt: an interactive explorer of rank dynamics in adaptive-LoRA fine-tuning.

`from triadapt import TriAdaptLoraConfig` (or any other name below) imports torch and PEFT and registers the tuners with
PEFT; `import triadapt` alone imports neither, unless PEFT is loaded already, so that the app's process stays free of
them.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

from triadapt.methods.registry import METHODS as _METHODS

__version__ = "0.1.0"

_LAZY = {
    "save_as_lora": "triadapt.methods.plain_lora",
    "RankGrowth": "triadapt.training.rank_growth",
    "RankGrowthCallback": "triadapt.training.trainer_callback",
    "RankRecorder": "triadapt.training.rank_recorder",
    "use_plain_loss": "triadapt.methods.training_loss",
    "train": "triadapt.training.train",
    "RunConfig": "triadapt.config",
}

for _spec in _METHODS.values():
    if _spec.ours:  # a configuration and its model
        _place = f"triadapt.methods.{_spec.name}"
        _LAZY[_spec.tuner_name] = f"{_place}.config"
        _LAZY[_spec.tuner_name.replace("Config", "Model")] = f"{_place}.model"

__all__ = sorted(_LAZY)


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'triadapt' has no attribute {name!r}")
    if name != "RunConfig":
        import_module("triadapt.methods.peft_registration")
    return getattr(import_module(_LAZY[name]), name)


if "peft" in sys.modules:
    import_module("triadapt.methods.peft_registration")
