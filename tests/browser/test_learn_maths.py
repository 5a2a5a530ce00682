"""The maths of the lessons, computed in the browser, against the code that trains."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from playwright.sync_api import Browser, Page, Route
from torch import nn

from triadapt import TriAdaptLoraConfig
from triadapt.growth.schedule import matrices_to_grow
from triadapt.growth.threshold import growth_threshold, matrices_at_or_above, normalized_frobenius
from triadapt.methods.triadaptlora.layer import TriAdaptLinear

pytestmark = pytest.mark.browser

UI = Path(__file__).parents[2] / "triadapt" / "ui"


@pytest.fixture(scope="module")
def page(browser: Browser) -> Iterator[Page]:
    """A page of nothing that may import the lessons' modules."""

    def answer(route: Route) -> None:
        place = UI / route.request.url.removeprefix("http://learn.test/")
        if place.is_file():
            route.fulfill(path=place, content_type="text/javascript")
        else:
            route.fulfill(body="<!doctype html>", content_type="text/html")

    context = browser.new_context()
    page = context.new_page()
    page.route("http://learn.test/**", answer)
    page.goto("http://learn.test/")
    yield page
    context.close()


def compute(page: Page, script: str, given: Any) -> Any:
    """Run an async function of the browser over plain values, as text both ways."""
    return json.loads(
        page.evaluate(f"async (text) => JSON.stringify(await ({script})(JSON.parse(text)))", json.dumps(given))
    )


def layer_of(blocks: list[int], inside: int, outside: int, seed: int) -> TriAdaptLinear:
    """An adapter grown in these blocks, every number that counts drawn."""
    config = TriAdaptLoraConfig(reference_rank=8, init_r=blocks[0], alpha=4, target_modules=["any"])
    layer = TriAdaptLinear(nn.Linear(inside, outside, bias=False), "default", config)
    layer.resize("default", blocks)
    generator = torch.Generator().manual_seed(seed)
    mask = layer.triadaptlora_mask["default"]
    for name, inside_mask in (("A", None), ("B", None), ("L", mask), ("U", mask.T)):
        values = getattr(layer, f"triadaptlora_{name}")["default"].data
        values.normal_(0, 1, generator=generator)
        if inside_mask is not None:
            values.mul_(inside_mask)
    return layer


def as_lists(layer: TriAdaptLinear, blocks: list[int]) -> dict[str, Any]:
    tensors = {name: getattr(layer, f"triadaptlora_{name}")["default"].tolist() for name in "ABLU"}
    return tensors | {"blocks": blocks, "scale": layer.scaling["default"], "W": layer.base_layer.weight.tolist()}


BLOCKS = [[1], [1, 1, 1], [2, 1, 3], [4], [1, 2, 2]]


def test_update_and_output_are_those_of_the_layer(page: Page) -> None:
    cases = []
    for seed, blocks in enumerate(BLOCKS):
        layer = layer_of(blocks, 5, 4, seed)
        x = torch.randn(5, generator=torch.Generator().manual_seed(seed))
        cases.append((as_lists(layer, blocks) | {"x": x.tolist()}, layer.delta("default").tolist(), layer(x).tolist()))
    found = compute(
        page,
        """async (cases) => {
          const {deltaOf, outputOf} = await import("/learn/maths/triangular.js");
          return cases.map((one) => [deltaOf(one), outputOf(one.W, one, one.x)]);
        }""",
        [case for case, *_ in cases],
    )
    for (_, delta, output), (js_delta, js_output) in zip(cases, found, strict=True):
        np.testing.assert_allclose(js_delta, delta, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(js_output, output, rtol=1e-4, atol=1e-5)


def test_trained_numbers_are_counted_as_training_counts_them(page: Page) -> None:
    counts = [
        sum(getattr(layer, f"triadaptlora_{name}")["default"].numel() for name in "AB")
        + 2 * int(layer.triadaptlora_mask["default"].sum())
        for layer in (layer_of(blocks, 64, 48, 0) for blocks in BLOCKS)
    ]
    script = """async (all) => {
      const {parameterCount} = await import("/learn/maths/triangular.js");
      return all.map((blocks) => parameterCount(blocks, 64, 48));
    }"""
    assert compute(page, script, BLOCKS) == counts


def test_triangles_are_the_masks_of_the_layer(page: Page) -> None:
    masks = [layer_of(blocks, 8, 8, 0).triadaptlora_mask["default"].bool().tolist() for blocks in BLOCKS]
    script = """async (all) => {
      const {inLower} = await import("/learn/maths/triangular.js");
      return all.map((blocks) => {
        const rank = blocks.reduce((sum, size) => sum + size, 0);
        return Array.from({length: rank}, (_, i) => Array.from({length: rank}, (_, j) => inLower(blocks, i, j)));
      });
    }"""
    assert compute(page, script, BLOCKS) == masks


@pytest.mark.parametrize("gain", [1, 3])
def test_a_harmless_block_is_laid_out_as_training_lays_it_out(page: Page, gain: int) -> None:
    blocks = [1, 2]
    layer = layer_of(blocks, 5, 4, 1)
    grown = layer.grown("default", gain, torch.Generator().manual_seed(0))
    script = """async ({adapter, gain}) => {
      const {grown, deltaOf} = await import("/learn/maths/triangular.js");
      const after = grown(adapter, gain, "identity", () => 0.25);
      const before = deltaOf(adapter).flat();
      return {...after, moved: Math.max(...deltaOf(after).flat().map((value, i) => Math.abs(value - before[i])))};
    }"""
    found = compute(page, script, {"adapter": as_lists(layer, blocks), "gain": gain})
    assert found["moved"] == 0 and found["blocks"] == [*blocks, gain]
    for name in "BLU":
        np.testing.assert_allclose(found[name], grown[name].tolist(), atol=1e-6)
    np.testing.assert_allclose(found["A"][:3], grown["A"][:3].tolist(), atol=1e-6)
    assert np.shape(found["A"]) == tuple(grown["A"].shape)


def test_importance_and_thresholds_are_those_of_training(page: Page) -> None:
    rng = np.random.default_rng(0)
    cases = []
    for _ in range(200):
        rank = int(rng.integers(1, 6))
        scores = rng.normal(size=int(rng.integers(1, 30))).astype(np.float32)
        if rng.random() < 0.3:
            scores = np.round(scores, 1).astype(np.float32)  # ties
        k = int(rng.integers(1, len(scores) + 1))
        core = rng.normal(size=(rank, rank))
        cases.append({"core": core.tolist(), "blocks": int(rng.integers(1, 7)), "scores": scores.tolist(), "k": k})
    found = compute(
        page,
        """async (cases) => {
          const {normalizedFrobenius, growthThreshold, atOrAbove} = await import("/learn/maths/importance.js");
          return cases.map(({core, blocks, scores, k}) => {
            const threshold = growthThreshold(scores, k);
            return {norm: normalizedFrobenius(core, blocks), threshold, chosen: atOrAbove(scores, threshold)};
          });
        }""",
        cases,
    )
    for case, js in zip(cases, found, strict=True):
        assert js["norm"] == pytest.approx(normalized_frobenius(case["core"], case["blocks"]), rel=1e-12)
        threshold = growth_threshold(case["scores"], case["k"])
        assert js["threshold"] == pytest.approx(threshold, rel=1e-7)
        assert js["chosen"] == matrices_at_or_above(case["scores"], threshold)


def test_a_threshold_lets_in_as_many_as_training_does(page: Page) -> None:
    rng = random.Random(3)
    cases = [
        {
            "mode": rng.choice(["linear", "non-linear", "fixed"]), "gap": rng.randint(0, 60), "top": rng.randint(1, 12),
            "steps": rng.choice([100, 300, 1024]), "step": 0, "matrices": rng.randint(1, 40),
        }
        for _ in range(600)
    ]  # fmt: skip
    for case in cases:
        case["step"] = rng.randint(1, case["steps"] - 1)
        case["progress"] = case["step"] / case["steps"]
    script = """async (cases) => {
      const {countOf} = await import("/learn/lessons/threshold.js");
      return cases.map((one) => countOf(one.mode, one));
    }"""
    expected = [
        matrices_to_grow(
            one["mode"], step=one["step"], init_warmup=0, total_step=one["steps"], target_total_rank=100,
            total_rank=100 - one["gap"], num_matrices=one["matrices"], top_h=one["top"],
        )
        for one in cases
    ]  # fmt: skip
    assert compute(page, script, cases) == expected


@pytest.mark.parametrize("shape", [(6, 6), (12, 5), (5, 12), (48, 48)])
def test_singular_values_and_what_is_rebuilt(page: Page, shape: tuple[int, int]) -> None:
    matrix = np.random.default_rng(1).normal(size=shape)
    matrix[:, 0] = matrix[:, 1]  # one direction less
    script = """async (rows) => {
      const {svd, rebuilt, energy, piecesFor} = await import("/learn/maths/svd.js");
      const parts = svd(rows);
      const half = rebuilt(parts, 3).map((row) => Array.from(row));
      return {sigma: parts.sigma, half, energy: energy(parts.sigma), pieces: piecesFor(parts.sigma, 0.9)};
    }"""
    found = compute(page, script, matrix.tolist())
    u, sigma, v = np.linalg.svd(matrix, full_matrices=False)
    np.testing.assert_allclose(found["sigma"], sigma, atol=1e-10)
    np.testing.assert_allclose(found["half"], (u[:, :3] * sigma[:3]) @ v[:3], atol=1e-9)
    shares = np.cumsum(sigma**2) / np.sum(sigma**2)
    np.testing.assert_allclose(found["energy"], [0, *shares], atol=1e-12)
    assert found["pieces"] == int(np.argmax(shares >= 0.9)) + 1
