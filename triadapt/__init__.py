"""triadapt: an interactive explorer of rank dynamics in adaptive-LoRA fine-tuning.

`from triadapt import TriAdaptLoraConfig` (or any other name below) imports torch and PEFT and registers the tuners with
PEFT; `import triadapt` alone imports neither, unless PEFT is loaded already, so that the app's process stays free of
them.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

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

__all__ = [
    "IncreLoraConfig",
    "IncreLoraModel",
    "RankGrowth",
    "RankGrowthCallback",
    "RankRecorder",
    "RunConfig",
    "SurmConfig",
    "SurmModel",
    "TiedLoraConfig",
    "TiedLoraModel",
    "TriAdaptLoraConfig",
    "TriAdaptLoraModel",
    "save_as_lora",
    "train",
    "use_plain_loss",
]


def _module_of(name: str) -> str | None:
    """Where a public name is defined; the configurations and models of our tuners are those of the registry."""
    if name in _LAZY:
        return _LAZY[name]
    for spec in import_module("triadapt.methods.registry").METHODS.values():
        if spec.ours and name in (spec.tuner_name, spec.tuner_name.replace("Config", "Model")):
            return f"triadapt.methods.{spec.name}.{'config' if name.endswith('Config') else 'model'}"
    return None


def __getattr__(name: str) -> Any:
    module = None if name.startswith("_") else _module_of(name)
    if module is None:
        raise AttributeError(f"module 'triadapt' has no attribute {name!r}")
    if name != "RunConfig":
        import_module("triadapt.methods.peft_registration")
    return getattr(import_module(module), name)


if "peft" in sys.modules:
    import_module("triadapt.methods.peft_registration")
