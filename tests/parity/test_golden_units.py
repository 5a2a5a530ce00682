"""Unit numbers that the authors' public code gives, reproduced. Set TRIADAPT_GOLDEN to the folder that holds them."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from triadapt import TriAdaptLoraConfig
from triadapt.growth import (
    adalora_budget,
    growth_threshold,
    matrices_at_or_above,
    matrices_to_grow,
    normalized_frobenius,
)  # fmt: skip
from triadapt.methods.triadaptlora.layer import TriAdaptLinear

GOLDEN = Path(os.environ.get("TRIADAPT_GOLDEN") or Path(__file__).parents[3] / "shared" / "golden")
pytestmark = pytest.mark.skipif(
    not GOLDEN.is_dir(), reason="the recorded numbers are not here; set TRIADAPT_GOLDEN to their folder"
)
Case = dict[str, Any]


def cases(file: str, name: str) -> list[Case]:
    loaded: list[Case] = json.loads((GOLDEN / file).read_text(encoding="utf-8"))[name]
    return loaded


def test_400_thresholds_and_the_matrices_that_reach_them() -> None:
    given = cases("triadaptlora_units.json", "threshold")
    assert len(given) == 400
    for case in given:
        count = matrices_to_grow(
            case["mode"],
            step=case["global_step"],
            init_warmup=case["init_warmup"],
            total_step=case["total_step"],
            target_total_rank=case["target_total_rank"],
            total_rank=case["total_rank"],
            num_matrices=len(case["scores"]),
        )
        threshold = growth_threshold(case["scores"], count)
        assert threshold == pytest.approx(case["threshold"], rel=1e-6, abs=0), case
        assert sorted(matrices_at_or_above(case["scores"], threshold)) == case["grown"], case


def core_of(blocks: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """L + U, `(r, r)`, from the block rows of L and the block columns of U, as each was born."""
    rank = sum(len(row) for row, _ in blocks)
    core = np.zeros((rank, rank))
    start = 0
    for row, column in blocks:
        end = start + len(row)
        core[start:end, :end] += row
        core[:end, start:end] += column
        start = end
    return core


def test_80_importances() -> None:
    given = cases("triadaptlora_units.json", "importance")
    assert len(given) == 80
    for case in given:
        blocks = [(np.array(r), np.array(c)) for r, c in zip(case["c_row"], case["c_col"], strict=True)]
        assert len(blocks) == case["num_blocks"]
        norm = normalized_frobenius(core_of(blocks), len(blocks))
        assert norm == pytest.approx(case["normalized_norm"], rel=1e-6, abs=1e-6)
        assert norm - case["previous"] == pytest.approx(case["score"], rel=1e-6, abs=1e-6)


def test_80_updates_from_their_blocks() -> None:
    given = cases("triadaptlora_units.json", "delta")
    assert len(given) == 80
    for case in given:
        A = np.concatenate([block[0] for block in case["blocks"]])
        B = np.concatenate([block[1] for block in case["blocks"]], axis=1)
        sizes = [len(block[2]) for block in case["blocks"]]
        rank = case["rank"]
        layer = TriAdaptLinear(
            nn.Linear(A.shape[1], B.shape[0], bias=False),
            "default",
            # The authors divide alpha by the current rank.
            config=TriAdaptLoraConfig(reference_rank=rank, alpha=case["alpha"]),
        )
        layer.resize("default", sizes)
        L, U = np.zeros((rank, rank)), np.zeros((rank, rank))
        start = 0
        for _, _, row, column in case["blocks"]:
            end = start + len(row)
            L[start:end, :end], U[:end, start:end] = row, column
            start = end
        for part, values in (("A", A), ("B", B), ("L", L), ("U", U)):
            getattr(layer, f"triadaptlora_{part}")["default"].data = torch.tensor(values, dtype=torch.float32)
        expected = torch.tensor(case["delta"])
        torch.testing.assert_close(layer.get_delta_weight("default").detach(), expected, rtol=1e-5, atol=1e-6)


def test_200_adalora_budgets() -> None:
    given = cases("increlora_traces.json", "adalora_budget")
    assert len(given) == 200
    for case in given:
        keys = ("init_total", "target_total", "tinit", "tfinal", "total_step")
        assert adalora_budget(case["step"], **{key: case[key] for key in keys}) == case["budget"], case
