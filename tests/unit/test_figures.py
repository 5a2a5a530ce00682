"""Figures for export: right values in the right places."""

from __future__ import annotations

from xml.etree import ElementTree

import numpy as np

from triadapt.config import parse_config
from triadapt.events import Matrix
from triadapt.figures.loss import loss_curves
from triadapt.figures.rank_map import rank_grid, rank_map
from triadapt.figures.schedule import schedule_svg
from triadapt.figures.total_rank import total_rank
from triadapt.methods.registry import METHODS
from triadapt.views.plan import branch_plans, plan

MATRICES = [Matrix("a", 0, "v", (4, 4), 8), Matrix("b", 1, "q", (4, 4), 0), Matrix("c", 1, "v", (4, 4), 0)]
STYLE = {"label": "TriAdaptLoRA", "colour": "#0072B2", "dash": "solid"}


def test_the_rank_map_has_layers_upwards_and_modules_in_order() -> None:
    layers, modules, grid = rank_grid(MATRICES, np.array([1, 2, 3]))
    assert (layers, modules) == ([0, 1], ["q", "v"])
    np.testing.assert_array_equal(grid, [[np.nan, 1], [2, 3]])


def test_planted_matrices_are_outlined_where_they_stand() -> None:
    figure = rank_map(MATRICES, np.array([1, 2, 3]), ceiling=12)
    (shape,) = figure.layout.shapes
    assert (shape.x0 + shape.x1, shape.y0 + shape.y1) == (2, 0)
    assert figure.data[0].zmin == 0 and figure.data[0].zmax == 12


def test_total_rank_is_drawn_as_stairs_to_the_last_step() -> None:
    run = {**STYLE, "start": 3, "steps": [20, 40], "totals": [4, 6], "last": 55, "target": 6}
    figure = total_rank([run], total_step=100)
    (line,) = figure.data
    assert list(line.x) == [0, 20, 40, 55] and list(line.y) == [3, 4, 6, 6]
    assert line.line.shape == "hv" and tuple(figure.layout.xaxis.range) == (0, 100)


def test_loss_lines_have_at_most_2000_points() -> None:
    figure = loss_curves([{**STYLE, "steps": np.arange(9000), "losses": np.linspace(2, 1, 9000)}], total_step=9000)
    assert len(figure.data[0].x) <= 2000 and figure.layout.yaxis.type == "log"


def test_the_sketch_of_a_schedule_is_a_picture_with_words_for_those_who_cannot_see_it() -> None:
    configs = [parse_config({"method": method}) for method in METHODS]
    svg = schedule_svg([plan(config) for config in configs])
    root = ElementTree.fromstring(svg)
    assert "target 48" in root.attrib["aria-label"]
    for spec in METHODS.values():
        assert spec.label in root.attrib["aria-label"]
        assert any(path.attrib.get("stroke") == spec.colour for path in root.iter("{http://www.w3.org/2000/svg}path"))
    assert schedule_svg([]) == ""


def test_the_sketch_of_a_branch_goes_on_where_it_leaves_its_parent() -> None:
    config = parse_config({"steps": 300, "warmup": 40, "interval": 10})
    plans = branch_plans(
        config, [(0, 12), (60, 13), (100, 16)], 299, at=(100, 16), to_come=[(110, 18), (120, 24)], target=24
    )
    past, ahead = plans
    assert past["steps"] == [0, 60, 100, 299] and past["totals"] == [12, 13, 16, 16]
    assert ahead["steps"] == [100, 110, 120, 300] and ahead["totals"] == [16, 18, 24, 24]
    root = ElementTree.fromstring(schedule_svg(plans))
    paths = [path.attrib["d"] for path in root.iter("{http://www.w3.org/2000/svg}path")]
    mark, branch = (d for d in sorted(paths) if d.startswith("M115.3 "))  # a third of the way
    assert mark == "M115.3 12V132" and branch.count("H") == 4
    texts = [text.text for text in root.iter("{http://www.w3.org/2000/svg}text")]
    assert texts == ["24", "16", "12", "100", "step 300"]
