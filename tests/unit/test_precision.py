"""Frozen weights in 4 bits and products in bfloat16: every method trains, over an encoder and over a decoder."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from families import BLOCK, write_family
from test_qa_task import squad, write
from tiny_text import WORDS

from triadapt.config import parse_config
from triadapt.events import Evaluation, Finished, Geometry, RankEvent
from triadapt.methods.four_bit import dequantized, is_four_bit
from triadapt.methods.registry import METHODS
from triadapt.pretrained.load import load_model
from triadapt.pretrained.source import find_model
from triadapt.training.session import Session, build_task
from triadapt.training.train import train

# These models are too narrow for QLoRA to round on a CPU, and two tuners of PEFT's cannot read 4 bits.
IN_FULL = [method for method in METHODS if method != "qlora"]
OVER_FOUR_BITS = [method for method in METHODS if method not in ("loha", "adamss")]
SCHEDULE = {"steps": 8, "warmup": 1, "interval": 1, "reference_rank": 2, "batch_size": 4, "learning_rate": 2e-2,
            "eval_every": 3, "growth": "non-linear"}  # fmt: skip


def values_of(kind: str, tmp_path: Path, **section: Any) -> dict[str, Any]:
    """A tiny BERT on questions, or a tiny Llama on text."""
    if kind == "bert":
        path = write(squad(), tmp_path / "a.json")
        own = {"train": path, "dev": path, "max_tokens": 32, "stride": 8}
        task = "qa"
    else:
        (tmp_path / "a.txt").write_text(" ".join(WORDS * 30))
        own, task = {"train": str(tmp_path / "a.txt"), "block": 16}, "causal"
    width = BLOCK if section.get("weights") == "4-bit" else 16
    return {**SCHEDULE, "task": task, task: {**own, "model": write_family(kind, tmp_path / "model", width), **section}}


def check(values: dict[str, Any], method: str, task: Any) -> None:
    events = list(train(parse_config({**values, "method": method}), task=task))
    assert isinstance(events[-1], Finished)
    found = [event.metrics for event in events if isinstance(event, Evaluation)]
    assert len(found) == 4 and all(math.isfinite(value) for metrics in found for value in metrics.values())
    assert found[-1]["loss"] < found[0]["loss"]
    ranks = [event.total_rank for event in events if isinstance(event, RankEvent)]
    assert METHODS[method].allocation == "fixed" or len(set(ranks)) > 1
    assert [event for event in events if isinstance(event, Geometry)][-1].singular.max() > 0


@pytest.mark.parametrize("kind", ["bert", "llama"])
def test_every_method_trains_in_bfloat16(kind: str, tmp_path: Path) -> None:
    values = values_of(kind, tmp_path) | {"precision": "bfloat16"}
    task = build_task(parse_config(values), "cpu")
    for method in IN_FULL:
        check(values, method, task)
    session = Session(parse_config({**values, "method": "triadaptlora"}), task=task)
    assert {parameter.dtype for parameter in session.trainable.values()} == {torch.float32}


four_bit = [
    pytest.mark.filterwarnings("ignore:.*4-bit (linear|weights)"),
    pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning"),
]


@pytest.mark.parametrize("kind", [pytest.param(kind, marks=four_bit) for kind in ("bert", "llama")])
def test_every_method_trains_over_weights_in_four_bits_and_through_its_evaluations(kind: str, tmp_path: Path) -> None:
    pytest.importorskip("bitsandbytes", reason="bitsandbytes, the extra four-bit, is not installed")
    values = values_of(kind, tmp_path, weights="4-bit")
    task: Any = build_task(parse_config(values), "cpu")
    first, second = task.build_model(), task.build_model()
    loaded = {name: layer for name, layer in task._model.named_modules() if is_four_bit(layer)}
    assert len(loaded) >= len(task.matrices())
    again = load_model(find_model(values[values["task"]]["model"]), "states" if kind == "bert" else "causal",
                       weights="4-bit")  # fmt: skip
    for name, layer in loaded.items():
        copies = [model.get_submodule(name) for model in (first, second)]
        fresh = dequantized(again.get_submodule(name.removeprefix("encoder.")))
        before = dequantized(layer)
        assert torch.equal(before, fresh) and all(torch.equal(dequantized(copy), before) for copy in copies)
        with torch.no_grad():
            copies[0].weight.data.zero_()
        assert torch.equal(dequantized(layer), before) and torch.equal(dequantized(copies[1]), before)
        assert len({layer.weight.data_ptr(), *(copy.weight.data_ptr() for copy in copies)}) == 3
    base = {name: dequantized(layer).clone() for name, layer in loaded.items()}
    for method in OVER_FOUR_BITS:
        check(values, method, task)
    assert all(torch.equal(dequantized(layer), base[name]) for name, layer in loaded.items())


@pytest.mark.parametrize("method", [pytest.param(method, marks=four_bit) for method in OVER_FOUR_BITS])
def test_an_evaluation_over_weights_in_four_bits_computes_what_training_does(method: str, tmp_path: Path) -> None:
    """On CPUs with AVX512-BF16, bitsandbytes would order a weight anew where it is evaluated, and that order has no
    gradient."""
    pytest.importorskip("bitsandbytes", reason="bitsandbytes, the extra four-bit, is not installed")
    session = Session(parse_config({**values_of("llama", tmp_path, weights="4-bit"), "method": method}))
    layers = [layer for layer in session.model.modules() if is_four_bit(layer)]
    before = [dequantized(layer).clone() for layer in layers]
    session.open()
    assert layers and all(not getattr(layer.weight.quant_state, "packing_format_for_cpu", False) for layer in layers)
    assert all(torch.equal(dequantized(layer), one) for layer, one in zip(layers, before, strict=True))
    batch = session.task.batch(0)
    with torch.no_grad():
        training = session.model.train()(input_ids=batch).logits
        assert torch.equal(session.model.eval()(input_ids=batch).logits, training)
    session.model.train()
    session.advance()
    session.method.close()
