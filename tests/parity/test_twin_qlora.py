"""QLoRA rounds as its slow twin does, and trains as LoRA over weights that were rounded so."""

import math

import pytest
import torch
from test_twins import Race, config_of, leaf

from triadapt.methods.four_bit import dequantized
from triadapt.reference import LoraTwin, nf4_levels, rounded_to_nf4

pytest.importorskip("bitsandbytes", reason="bitsandbytes, the extra four-bit, is not installed")
STEPS = 60
WIDE = {"blocks": 1, "width": 64, "heads": 2, "tokens": 4, "pool": 64, "held_out": 16}


def test_the_levels_are_those_of_the_paper() -> None:
    levels = nf4_levels()
    assert len(levels) == 16 and levels[0] == -1 and levels[7] == 0 and levels[15] == 1
    assert levels[8].item() == pytest.approx(0.07958029955625534, abs=1e-6)
    assert levels[1].item() == pytest.approx(-0.6961928009986877, abs=1e-6)


def test_qlora() -> None:
    race = Race(config_of("qlora", reference_rank=3, qlora={"double_quant": False}, planted=WIDE))
    race.run.model.float()
    A, B = (
        {
            name: leaf(getattr(layer, part)["default"].weight).float().detach().requires_grad_()
            for name, layer in zip(race.names, race.layers, strict=True)
        }
        for part in ("lora_A", "lora_B")
    )
    race.set_twin(LoraTwin(A, B, race.config.alpha))
    race.dense.float()
    for name, layer in zip(race.names, race.layers, strict=True):
        weight = race.dense.base.get_parameter(f"{name}.weight")
        rounded = rounded_to_nf4(weight.data)
        torch.testing.assert_close(rounded, dequantized(layer.get_base_layer()), rtol=1e-5, atol=1e-7)
        assert not torch.equal(rounded, weight)
        weight.data = rounded
    race.loss = lambda model, step: race.task.loss(model, race.task.batch(step))  # type: ignore[method-assign]
    for step in range(STEPS):
        fast, decision = race.fast_step(step)
        assert decision is None
        slow = race.slow_loss(step)
        race.slow.step()
        race.slow.zero_grad()
        # In float32, as 4-bit layers compute.
        assert math.isclose(slow, fast, rel_tol=1e-3), step
