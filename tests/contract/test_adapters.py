"""Several adapters in one model: every method over every base."""

from pathlib import Path
from typing import Any

import pytest
import torch
from bases import BASES, close, every_base, logits
from methods import config_of, contract_of, every_method, layers_of, peft_warnings, ranks, trained, trained_on, wrapped
from peft import PeftModel

pytestmark = peft_warnings


def both(method: str, base: str, folder: Path) -> tuple[PeftModel, torch.Tensor, torch.Tensor]:
    """A model with two trained adapters loaded from files, `default` active, and what each gives by itself."""
    first = trained_on(method, base)
    second = trained_on(method, base, **contract_of(method).other)
    first.save_pretrained(str(folder / "first"))
    second.save_pretrained(str(folder / "second"))
    loaded = PeftModel.from_pretrained(BASES[base].build(), str(folder / "first"))
    loaded.load_adapter(str(folder / "second"), adapter_name="other")
    return loaded, logits(first), logits(second)


@every_base
@every_method
def test_two_adapters_live_side_by_side_and_one_can_be_deleted(method: str, base: str, tmp_path: Path) -> None:
    model = trained_on(method, base)
    first, first_ranks = logits(model), ranks(model)
    model.add_adapter("other", config_of(method, base, **contract_of(method).other))
    close(logits(model), first, 1e-6)
    model.set_adapter("other")
    trainable = [name for name, p in model.named_parameters() if p.requires_grad]
    assert trainable and all(".other" in name for name in trainable)
    trained(model, "other")
    second = logits(model)
    assert not torch.allclose(first, second)
    model.set_adapter("default")
    close(logits(model), first, 1e-6)
    assert ranks(model) == first_ranks
    assert not contract_of(method).uneven or first_ranks != ranks(model, "other")

    model.save_pretrained(str(tmp_path))
    loaded = PeftModel.from_pretrained(BASES[base].build(), str(tmp_path))
    loaded.load_adapter(str(tmp_path / "other"), adapter_name="other")
    close(logits(loaded), first, 1e-6)
    loaded.set_adapter("other")
    close(logits(loaded), second, 1e-6)

    model.delete_adapter("other")
    assert not [name for name in model.state_dict() if ".other" in name]
    assert "other" not in model.peft_config
    close(logits(model), first, 1e-6)


def test_adalora_with_two_trainable_adapters_is_refused_by_peft_itself() -> None:
    model = wrapped("adalora", "bert")
    with pytest.raises(ValueError, match="supports only 1 trainable adapter"):
        model.add_adapter("other", config_of("adalora", "bert"))


@every_base
@every_method
def test_two_loaded_adapters_give_each_its_own_outputs_and_one_can_be_deleted(
    method: str, base: str, tmp_path: Path
) -> None:
    model, first, second = both(method, base, tmp_path)
    close(logits(model), first, 1e-6)
    model.set_adapter("other")
    close(logits(model), second, 1e-6)
    model.set_adapter("default")
    model.delete_adapter("other")
    assert not [name for name in model.state_dict() if ".other" in name]
    assert "other" not in model.peft_config
    close(logits(model), first, 1e-6)


@every_base
@every_method
def test_two_adapters_at_once_add_up_and_merge_to_the_same(method: str, base: str, tmp_path: Path) -> None:
    model, first, second = both(method, base, tmp_path)
    tuner: Any = model.base_model
    tuner.set_adapter(["default", "other"])
    together = logits(model)
    assert not torch.equal(together, first) and not torch.equal(together, second)
    deltas = [layer.get_delta_weight("default") + layer.get_delta_weight("other") for layer in layers_of(model)]
    weights = [layer.get_base_layer().weight.detach().clone() for layer in layers_of(model)]
    model.merge_adapter()
    close(logits(model), together)
    for layer, weight, delta in zip(layers_of(model), weights, deltas, strict=True):
        close(layer.get_base_layer().weight.detach(), weight + delta.detach(), 1e-6)
    model.unmerge_adapter()
    close(logits(model), together)
    tuner.set_adapter("default")
    model.merge_adapter(adapter_names=["other"])
    close(logits(model), second)
