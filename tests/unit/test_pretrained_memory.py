"""The memory that is said to be taken is about what is taken."""

from pathlib import Path
from typing import Any

import pytest
from families import BLOCK, FAMILIES, write_family

from triadapt.config import ConfigError
from triadapt.pretrained.load import Purpose, load_model
from triadapt.pretrained.look import ModelLook, look_at
from triadapt.pretrained.memory import estimate
from triadapt.pretrained.settings import Weights
from triadapt.pretrained.source import find_model

GIVEN: dict[str, Any] = {"rank": 2, "batch_size": 4, "tokens": 16}
WEIGHTS: list[Weights] = ["float32", "bfloat16"]


@pytest.mark.parametrize("family", FAMILIES)
def test_frozen_weights_take_what_is_said_of_them(family: str, tmp_path: Path) -> None:
    folder = write_family(family, tmp_path / "model")
    look = look_at(folder, "files.model")
    assert look is not None
    for weights in WEIGHTS:
        for purpose in _purposes(look):
            _same(folder, look, purpose, weights)


@pytest.mark.parametrize("family", ["bert", "gpt2", "llama", "t5"])
@pytest.mark.filterwarnings("ignore:.*4-bit (linear|weights)")
def test_in_four_bits_what_is_outside_the_blocks_stays_in_float32(family: str, tmp_path: Path) -> None:
    pytest.importorskip("bitsandbytes", reason="bitsandbytes, the extra four-bit, is not installed")
    folder = write_family(family, tmp_path / "model", BLOCK)
    look = look_at(folder, "files.model")
    assert look is not None
    for purpose in _purposes(look):
        _same(folder, look, purpose, "4-bit")


def test_a_model_too_narrow_for_four_bits_on_this_cpu_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("bitsandbytes", reason="bitsandbytes, the extra four-bit, is not installed")
    found = find_model(write_family("bert", tmp_path / "model"))
    with pytest.raises(ConfigError, match=r"weights = '4-bit'.*multiple of 64; choose float32 or bfloat16"):
        load_model(found, weights="4-bit")


def test_causal_training_holds_logits(tmp_path: Path) -> None:
    look = look_at(write_family("gpt2", tmp_path / "model"), "causal.model")
    assert look is not None
    plain, causal = (estimate(look, look.places, weights="float32", causal=on, **GIVEN) for on in (False, True))
    assert causal.activations - plain.activations == 4 * 16 * look.vocabulary * 4 * 3


def _purposes(look: ModelLook) -> list[Purpose]:
    return ["states", "causal"] if look.decoder else ["states"]


def _same(folder: str, look: ModelLook, purpose: Purpose, weights: Weights) -> None:
    said = estimate(look, look.places, weights=weights, causal=purpose == "causal", **GIVEN).weights
    model = load_model(find_model(folder), purpose, weights=weights)
    held = sum(value.numel() * value.element_size() for _, value in model.named_parameters())
    assert said == pytest.approx(held, rel=0.1), (purpose, weights)
