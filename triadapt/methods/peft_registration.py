"""Makes PEFT know our tuners. Importing this module imports torch and PEFT."""

from __future__ import annotations

from peft.utils import PeftType, register_peft_method

from triadapt.methods.increlora.config import IncreLoraConfig
from triadapt.methods.increlora.model import IncreLoraModel
from triadapt.methods.triadaptlora.config import TriAdaptLoraConfig
from triadapt.methods.triadaptlora.model import TriAdaptLoraModel


def add_peft_type(name: str) -> None:
    """Add a member to PEFT's enum of methods, which `register_peft_method` demands; a second call does nothing."""
    if name in PeftType.__members__:
        return
    member = str.__new__(PeftType, name)
    member._name_ = name
    member._value_ = name
    PeftType._member_map_[name] = member
    PeftType._value2member_map_[name] = member
    PeftType._member_names_.append(name)
    # The maps alone do not make `PeftType.NAME` work since Python 3.12; the enum forbids plain assignment.
    type.__setattr__(PeftType, name, member)


def register() -> None:
    """Register TriAdaptLoRA and IncreLoRA with PEFT; a second call does nothing."""
    for name, config, model in (
        ("triadaptlora", TriAdaptLoraConfig, TriAdaptLoraModel),
        ("increlora", IncreLoraConfig, IncreLoraModel),
    ):
        if name.upper() not in PeftType.__members__:
            add_peft_type(name.upper())
            register_peft_method(name=name, config_cls=config, model_cls=model)


register()
