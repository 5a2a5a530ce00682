"""Makes PEFT know our tuners. Importing this module imports torch and PEFT."""

from __future__ import annotations

from importlib import import_module

from peft.utils import PeftType, register_peft_method

from triadapt.methods.registry import METHODS


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
    """Register the tuners of this package with PEFT; a second call does nothing."""
    for spec in METHODS.values():
        if spec.ours and spec.name.upper() not in PeftType.__members__:
            # The configuration names its member of the enum when it is made, not when it is imported.
            module, name = spec.tuner.split(":")
            config = getattr(import_module(module), name)
            model = getattr(import_module(f"{module.rpartition('.')[0]}.model"), name.replace("Config", "Model"))
            add_peft_type(spec.name.upper())
            register_peft_method(name=spec.name, config_cls=config, model_cls=model)


register()
