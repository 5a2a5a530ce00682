"""The lab's JavaScript against the Python that decides: both compute the same random schedules, in one page."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route

from triadapt.config import ConfigError, parse_allocation
from triadapt.growth.parameters import parameters_along
from triadapt.growth.preview import preview
from triadapt.growth.schedule import adalora_budget, matrices_to_grow
from triadapt.growth.target_matrices import target_matrices
from triadapt.growth.trainer_steps import TrainerSteps
from triadapt.methods.registry import METHODS
from triadapt.views.lab.inputs import allocation_values, defaults

pytestmark = pytest.mark.browser

UI = Path(__file__).parents[2] / "triadapt" / "ui"
SCHEDULES = 600
MODULES = ["q 64x64, k 64x64, up 64x128, down 128x64", "query 768x768, value 768x768", "q 4096x4096, k 4096x1024", "q"]
LINES = [("triadaptlora", "linear"), ("triadaptlora", "non-linear"), ("triadaptlora", "fixed"), ("increlora", "linear"),
         ("adalora", "linear"), ("lora", "linear")]  # fmt: skip

# As text both ways: so many nested values take Playwright half a minute.
COMPUTE = """async (text) => {
  const {plan} = await import("/lab/schedule.js");
  const {parametersAlong} = await import("/lab/parameters.js");
  const {targetMatrices, trainerSteps} = await import("/lab/counting.js");
  return JSON.stringify(JSON.parse(text).map(({values, line, steps, layers, modules}) => {
    const matrices = targetMatrices(layers, modules);
    const {refused, start, target, columns, ...seen} = plan(values, line, steps, matrices.count);
    const all = {...seen, start, target, columns};
    const counts = parametersAlong(all, matrices.shapes, values.add_r, values.reference_rank);
    return {refused, start, target, columns, counts, counted: trainerSteps(values)};
  }));
}"""


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page of nothing that may import the lab's modules."""

    def answer(route: Route) -> None:
        place = UI / route.request.url.removeprefix("http://lab.test/")
        if place.is_file():
            route.fulfill(path=place, content_type="text/javascript")
        else:
            route.fulfill(body="<!doctype html>", content_type="text/html")

    context = browser.new_context()
    page = context.new_page()
    page.route("http://lab.test/**", answer)
    page.goto("http://lab.test/")
    yield page
    context.close()


def case(rng: random.Random, method: str, growth: str) -> dict[str, Any]:
    values = defaults("own")
    steps = rng.choice([rng.randint(1, 300), rng.randint(1, 1500), 100 * rng.randint(1, 30)])
    values |= {
        "warmup": rng.choice([0, rng.randint(0, steps), 10 * rng.randint(0, 20)]),
        "interval": rng.choice([1, rng.randint(1, 100), 10 * rng.randint(1, 10)]),
        "reference_rank": rng.randint(1, 16), "top_h": rng.randint(1, 40), "add_r": rng.choice([1, 1, 2, 3, 8]),
        "behaviour": rng.choice(["improved", "reference"]),
        "adalora.init_rank_ratio": rng.choice([1.5, 2.5, round(rng.uniform(1.01, 4), 3)]),
        "adalora.final_share": rng.choice([0, 0.25, 0.5, round(rng.random() * 0.99, 3)]),
        "epochs": rng.choice([1, 3, 0.7, 2.5]), "rows": rng.randint(1, 10_000), "batch": rng.randint(1, 64),
        "accumulation": rng.randint(1, 9), "processes": rng.randint(1, 4), "drop_last": rng.choice(["no", "yes"]),
    }  # fmt: skip
    # Powers of two make shares of which the powers are whole numbers, where the last digit counts.
    layers = rng.choice([rng.randint(1, 12), 2 ** rng.randint(0, 6)])
    line = {"method": method, "growth": growth, "allocation": METHODS[method].allocation}
    return {"values": values, "line": line, "steps": steps, "layers": layers, "modules": rng.choice(MODULES)}


def in_python(given: dict[str, Any]) -> dict[str, Any] | None:
    """The same from Python; None where it refuses the schedule."""
    values, line = given["values"], given["line"]
    matrices = target_matrices(given["layers"], given["modules"])
    try:
        config = parse_allocation(allocation_values(values, given["steps"], line["method"], line["growth"]))
    except ConfigError:
        return None
    seen = preview(config, matrices.count)
    counts = None if matrices.shapes is None else parameters_along(config, seen, matrices.shapes)
    names = {"step": "step", "gap": "gap", "allowed": "allowed", "change": "change", "total": "total_rank"}
    return {
        "start": seen.start,
        "target": seen.target,
        "columns": {name: [row[key] for row in seen.rows] for name, key in names.items()},
        "counts": counts and {name: [getattr(count, name) for count in counts] for name in ("even", "least", "most")},
    }


def steps_of(values: dict[str, Any]) -> int | None:
    names = ("epochs", "rows", "batch", "accumulation", "processes")
    try:
        return TrainerSteps(*(values[name] for name in names), drop_last=values["drop_last"] == "yes").steps
    except ValueError:
        return None


def test_the_browser_computes_the_schedules_that_python_decides(page: Page) -> None:
    rng = random.Random(7)
    cases = [case(rng, *line) for line in LINES for _ in range(SCHEDULES if line[0] != "lora" else 20)]
    found = json.loads(page.evaluate(COMPUTE, json.dumps(cases)))
    fired = refused = 0
    for given, js in zip(cases, found, strict=True):
        expected = in_python(given)
        assert js.pop("counted") == steps_of(given["values"]), given
        assert js.pop("refused") == (expected is None), given
        if expected is None:
            refused += 1
            continue
        assert js == expected, given
        fired += len(expected["columns"]["step"]) > 0
    assert fired > 0.6 * len(cases) and refused > 50


def test_whole_powers_are_cut_as_python_cuts_them(page: Page) -> None:
    """Where a power is a whole number, one digit in the sixteenth place decides about a matrix."""
    shares = [(k, m) for m in (2, 3, 4, 5, 6, 8, 10, 12) for k in range(1, m)]
    powers = [(gap, k, m) for gap in (4, 8, 9, 16, 27, 64, 81, 125, 243, 256, 1000, 1024, 4096) for k, m in shares]
    cubes = [(scale, k, m) for scale in (8, 24, 27, 64, 125, 216, 1000, 1728) for k, m in shares]
    got = page.evaluate(
        """async ([powers, cubes]) => {
          const {adaloraBudget, allowedMatrices} = await import("/lab/schedule.js");
          const values = {warmup: 0, add_r: 1, behaviour: "improved", reference_rank: 2};
          return [
            powers.map(([gap, k, m]) =>
              allowedMatrices(values, "triadaptlora", "non-linear", k, m, 10_000 - gap, 5000)),
            cubes.map(([scale, k, m]) => adaloraBudget(k, scale + 48, 48, {tinit: 0, tfinal: 0, steps: m})),
          ];
        }""",
        [powers, cubes],
    )
    growing = {"init_warmup": 0, "target_total_rank": 10_000, "num_matrices": 5000}
    assert got[0] == [
        matrices_to_grow("non-linear", step=k, total_step=m, total_rank=10_000 - gap, **growing) for gap, k, m in powers
    ]
    assert got[1] == [
        adalora_budget(k, init_total=scale + 48, target_total=48, tinit=0, tfinal=0, total_step=m)
        for scale, k, m in cubes
    ]


def test_modules_that_python_refuses_are_nothing_to_the_browser(page: Page) -> None:
    texts = ["query", "query 768x768, value 768 x 3072,", " a.b_c 4×4 ", "", " , ", "query 768", "768x768", "q 0x4",
             "q 4x4, q 5x5", "q 4x4 5x5", "q-1 4x4", "q 1000001x4", ",".join(f"m{i}" for i in range(65))]  # fmt: skip
    got = page.evaluate(
        """async (texts) => {
          const {targetMatrices} = await import("/lab/counting.js");
          return texts.map((text) => targetMatrices(3, text));
        }""",
        texts,
    )
    for text, js in zip(texts, got, strict=True):
        try:
            expected = target_matrices(3, text)
        except ValueError:
            assert js is None, text
            continue
        assert js["count"] == expected.count and (js["shapes"] is None) == (expected.shapes is None), text
