"""Figures of the comparison: right values in the right places."""

from __future__ import annotations

import numpy as np
from triadapt.figures.compare_agreement import agreement_map
from triadapt.figures.compare_curves import compare_curves
from triadapt.views.compare.curves import Curve, spread

from triadapt.events import Matrix
from triadapt.figures.sweep_pareto import pareto
from triadapt.figures.what_if_maps import difference_map, rank_scale, small_map

MATRICES = [Matrix("a", 0, "q", (4, 4), 3), Matrix("b", 0, "v", (4, 4), 0), Matrix("c", 1, "q", (4, 4), 0)]
OTHER = [Matrix("a", 0, "q", (4, 4), 0), Matrix("b", 0, "v", (4, 4), 3), Matrix("c", 1, "q", (4, 4), 0)]
STYLE = {"label": "TriAdaptLoRA", "colour": "#0072B2", "dash": "solid", "place": 0}


def test_maps_share_one_scale_that_stands_by_itself() -> None:
    figure = small_map(MATRICES, np.array([1, 2, 3]), title="A", ceiling=9)
    (heat,) = figure.data
    assert (heat.zmin, heat.zmax, heat.showscale) == (0, 9, False) and len(figure.layout.shapes) == 1
    scale = rank_scale(9).data[0]
    assert scale.z.tolist() == [list(range(10))] and (scale.zmin, scale.zmax) == (0, 9)
    assert scale.colorscale == heat.colorscale


def test_a_difference_is_neutral_at_zero_and_outlines_both_truths() -> None:
    figure = difference_map(MATRICES, np.array([5, 1, 2]), np.array([1, 1, 3]), title="", other=OTHER)
    (heat,) = figure.data
    np.testing.assert_array_equal(heat.z, [[4, 0], [-1, np.nan]])
    assert (heat.zmin, heat.zmax) == (-4, 4) and list(heat.text[0]) == ["+4", "0"]
    assert [(shape.x0 + shape.x1, shape.line.dash) for shape in figure.layout.shapes] == [(0, "solid"), (2, "dot")]


def test_seeds_are_a_band_with_a_mean_and_faint_runs_under_one_entry_of_the_legend() -> None:
    lines = [Curve(np.arange(3.0), np.array([1.0, 2, 3]) + shift, False) for shift in (0, 2)]
    group = {**STYLE, "runs": [("seed 1", lines[0]), ("seed 2", lines[1])], "spread": spread(lines, "range")}
    figure = compare_curves([group], axis="step", quantity="loss", log=True)
    low, high, first, second, mean = figure.data
    assert (list(low.y), list(high.y), list(mean.y)) == ([1, 2, 3], [3, 4, 5], [2, 3, 4])
    assert first.opacity == second.opacity < 0.5 and mean.line.color == STYLE["colour"]
    assert [trace.showlegend is not False for trace in figure.data] == [False, False, False, False, True]
    assert figure.layout.yaxis.range[0] < 0 < figure.layout.yaxis.range[1]


def test_a_second_group_of_a_method_keeps_its_colour_and_gets_marks() -> None:
    line = Curve(np.arange(3.0), np.ones(3), True)
    groups = [{**STYLE, "place": place, "runs": [("run", line)], "spread": None} for place in (0, 1)]
    first, second = compare_curves(groups, axis="step", quantity="total rank").data
    assert first.mode == "lines" and second.mode == "lines+markers"
    assert first.line.color == second.line.color and first.line.shape == "hv"


def test_the_agreement_of_runs_is_numbered_and_zero_is_neutral() -> None:
    figure = agreement_map(np.array([[1, 0.25], [0.25, 1]]), ["LoRA", "AdaLoRA"])
    (heat,) = figure.data
    assert (heat.zmin, heat.zmax) == (-1, 1) and figure.layout.yaxis.ticktext == ("LoRA  1", "AdaLoRA  2")


def test_the_front_is_drawn_as_stairs_over_the_means() -> None:
    groups = [
        {"label": "A", "colour": "#0072B2", "method": "triadaptlora", "place": 0, "labels": ["A 1", "A 2"],
         "parameters": [10, 10], "values": [0.4, 0.6]},
        {"label": "B", "colour": "#CC79A7", "method": "lora", "place": 1, "labels": ["B"], "parameters": [20],
         "values": [0.9]},
    ]  # fmt: skip
    figure = pareto(groups, metric="recovered", higher_is_better=True)
    runs, mean, single, stairs = figure.data
    assert list(runs.y) == [0.4, 0.6] and (mean.x, mean.y) == ((10,), (0.5,))
    assert round(mean.error_y.array[0], 9) == round(mean.error_y.arrayminus[0], 9) == 0.1
    assert single.marker.symbol.endswith("-open") and single.error_y.array is None
    assert list(stairs.x) == [10, 20, 20] and list(stairs.y) == [0.5, 0.9, 0.9] and stairs.line.shape == "hv"
    assert "higher is better" in figure.layout.yaxis.title.text
