"""Rank maps with their difference, and the front of metric against size: right values in the right places."""

from __future__ import annotations

import numpy as np

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


def test_the_front_is_drawn_as_stairs_over_the_means() -> None:
    groups = [
        {"label": "A", "colour": "#0072B2", "method": "triadaptlora", "place": 0, "labels": ["A 1", "A 2"],
         "prices": [10, 10], "values": [0.4, 0.6]},
        {"label": "B", "colour": "#CC79A7", "method": "lora", "place": 1, "labels": ["B"], "prices": [20],
         "values": [0.9]},
    ]  # fmt: skip
    figure = pareto(groups, metric="recovered", higher_is_better=True)
    runs, mean, single, stairs = figure.data
    assert list(runs.y) == [0.4, 0.6] and (mean.x, mean.y) == ((10,), (0.5,))
    assert round(mean.error_y.array[0], 9) == round(mean.error_y.arrayminus[0], 9) == 0.1
    assert single.marker.symbol.endswith("-open") and single.error_y.array is None
    assert list(stairs.x) == [10, 20, 20] and list(stairs.y) == [0.5, 0.9, 0.9] and stairs.line.shape == "hv"
    assert "higher is better" in figure.layout.yaxis.title.text
