"""What the models of all our tuners share: replacing linear layers, and lines that say why one cannot be."""

from __future__ import annotations

from typing import Any, Self

from peft.tuners.tuners_utils import BaseTuner, BaseTunerLayer, NoMatchingPeftModuleError
from torch import nn
from transformers.pytorch_utils import Conv1D

from triadapt.methods.adapter_layer import AdapterLayer
from triadapt.methods.four_bit import is_bitsandbytes, restore_layout


def check_layer(layer: nn.Module, name: str) -> None:
    """Raise ValueError naming field, layer and fix where `layer` cannot be adapted."""
    if is_bitsandbytes(layer, "Linear8bitLt"):
        raise ValueError(
            f"target_modules: {name} is a {type(layer).__name__}; 8-bit layers cannot be adapted, "
            f"load the model in 4 bits or as it is"
        )
    if not isinstance(layer, nn.Linear | Conv1D):
        raise ValueError(
            f"target_modules: {name} is a {type(layer).__name__}; only Linear and Conv1D layers can be adapted"
        )


def unmatched(model: nn.Module, config: Any) -> str:
    """One line for a choice of layers that leaves none: every field that takes part, and what could be named."""
    fields = ("target_modules", "exclude_modules", "layers_to_transform", "layers_pattern")
    values = {name: getattr(config, name) for name in fields if getattr(config, name) is not None}
    given = ", ".join(f"{k} = {sorted(v) if isinstance(v, set) else v!r}" for k, v in values.items())
    # The last part of a name is what target_modules usually holds; a number alone says nothing.
    found = [name for name, module in model.named_modules() if isinstance(module, nn.Linear | Conv1D)]
    names = {name.removesuffix(".base_layer") for name in found}
    short = sorted({name if name.rpartition(".")[2].isdigit() else name.rpartition(".")[2] for name in names})
    more = f" and {len(short) - 12} more" if len(short) > 12 else ""
    return f"{given}: no layer of this model is chosen; its linear layers are {', '.join(short[:12])}{more}"


class AdapterModel(BaseTuner):  # type: ignore[misc]
    """Base of our tuners. Subclasses set `layer_class`, `prefix` and `tuner_layer_cls`."""

    model: nn.Module
    layer_class: Any
    target_module_mapping: dict[str, list[str]] = {}  # noqa: RUF012

    def _create_and_replace(
        self, config: Any, adapter_name: str, target: nn.Module, target_name: str, parent: nn.Module, current_key: str,
        **_: Any,
    ) -> None:  # fmt: skip
        base = target.get_base_layer() if isinstance(target, BaseTunerLayer) else target
        check_layer(base, current_key)
        self.check_size(base, current_key, config)
        config.fan_in_fan_out = isinstance(base, Conv1D)
        if isinstance(target, self.layer_class):
            self.extend_layer(target, adapter_name, config)
            return
        module = self.new_layer(target, adapter_name, config)
        if adapter_name not in self.active_adapters:
            module.requires_grad_(False)
        self._replace_module(parent, target_name, module, target)

    def check_size(self, layer: nn.Module, name: str, config: Any) -> None:
        """Raise ValueError naming field, layer and fix where `layer` is too small for what `config` asks."""

    def new_layer(self, base: nn.Module, adapter_name: str, config: Any) -> AdapterLayer:
        """A layer with its first adapter in place of `base`."""
        module: AdapterLayer = self.layer_class(base, adapter_name, config=config)
        return module

    def extend_layer(self, layer: AdapterLayer, adapter_name: str, config: Any) -> None:
        """A further adapter on a layer that has some."""
        layer.update_layer(adapter_name, config)

    def _cast_adapter_dtype(self, adapter_name: str, autocast_adapter_dtype: bool = True) -> None:
        # PEFT 0.21 puts new parameters in place of those it casts, and a new one is trained, whatever the old one was.
        before = {name: parameter.requires_grad for name, parameter in self.model.named_parameters()}
        super()._cast_adapter_dtype(adapter_name, autocast_adapter_dtype)
        for name, parameter in self.model.named_parameters():
            parameter.requires_grad_(before.get(name, parameter.requires_grad))

    def inject_adapter(self, model: nn.Module, adapter_name: str, *args: Any, **kwargs: Any) -> None:
        """See PEFT. Raises NoMatchingPeftModuleError, a ValueError, that says which layers there are."""
        try:
            super().inject_adapter(model, adapter_name, *args, **kwargs)
        except NoMatchingPeftModuleError as error:
            raise NoMatchingPeftModuleError(unmatched(model, self.peft_config[adapter_name])) from error

    def train(self, mode: bool = True) -> Self:
        if mode:  # the layers that are not adapted too: gradients pass through them
            for module in self.model.modules():
                restore_layout(module)
        trained: Self = super().train(mode)
        return trained

    def layers(self) -> dict[str, AdapterLayer]:
        """Adapted layers by their path in the base model, in the model's order."""
        return {name: m for name, m in self.model.named_modules() if isinstance(m, self.layer_class)}
