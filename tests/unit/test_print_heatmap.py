"""The picture for papers: every rank in its cell, on one scale, at the size of a column."""

from __future__ import annotations

from xml.etree import ElementTree

import numpy as np
import pytest

from triadapt.events import Matrix
from triadapt.figures.print_heatmap import heatmap_svg, picture_options, print_heatmap
from triadapt.figures.rank_map import PLANTED
from triadapt.runs.bundle import read_bundle, recorded_races
from triadapt.views.final_ranks import RankPanel, rank_panels

MODULES = ("q", "k", "up")
SVG = "{http://www.w3.org/2000/svg}"


def panel(label: str, layers: int, top: int) -> RankPanel:
    matrices = [
        Matrix(f"{i}.{m}", i, m, (4, 4), 8 if i == 1 and m == "k" else 0) for i in range(layers) for m in MODULES
    ]
    ranks = np.resize(np.arange(top + 1, dtype=np.uint16), len(matrices))
    return RankPanel(label, matrices, ranks)


def texts(svg: str) -> list[str]:
    return [node.text or "" for node in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def test_every_rank_stands_in_its_cell_and_planted_ones_are_outlined() -> None:
    svg = heatmap_svg([panel("A <b> & B", 4, 9), panel("C", 4, 3)], width=6.9)
    root = ElementTree.fromstring(svg)
    assert root.attrib["width"] == "6.9in" and texts(svg)[0] == "A <b> & B, total rank 46"
    assert texts(svg).count("9") >= 1 and texts(svg).count("layer") == 2
    filled = [node for node in root.iter(f"{SVG}rect") if node.attrib.get("fill", "").startswith("#")]
    assert len(filled) == 1 + 2 * 12 + 10  # the sheet, the cells, the steps of the scale
    outlines = [node for node in root.iter(f"{SVG}rect") if node.attrib.get("stroke") == PLANTED]
    assert len(outlines) == 2 + 1  # one a panel and the one that explains them
    same = [node.attrib["fill"] for node in filled[1:25]]
    assert same[4] == same[12 + 4]  # rank 1, whatever the panel holds at most


@pytest.mark.parametrize("width", [3.3, 6.9])
@pytest.mark.parametrize("layers", [1, 12, 37, 80])
def test_everything_stays_on_the_sheet(width: float, layers: int) -> None:
    svg = heatmap_svg([panel(name, layers, 12) for name in "ABCD"], width=width)
    root = ElementTree.fromstring(svg)
    _, _, wide, high = map(float, root.attrib["viewBox"].split())
    for node in root.iter(f"{SVG}rect"):
        if "x" in node.attrib:
            assert float(node.attrib["x"]) >= 0 and float(node.attrib["x"]) + float(node.attrib["width"]) <= wide
            assert float(node.attrib["y"]) >= 0 and float(node.attrib["y"]) + float(node.attrib["height"]) <= high
    numbers = [float(node.attrib["font-size"]) for node in root.iter(f"{SVG}text") if "font-size" in node.attrib]
    assert all(4.5 <= size <= 8 for size in numbers)
    assert bool(numbers) == (layers < 80 and not (layers == 37 and width == 3.3))


def test_the_figure_holds_the_same_ranks_and_saves_at_300_dots_an_inch() -> None:
    panels = [panel("A", 4, 9), panel("B", 4, 3)]
    figure = print_heatmap(panels, width=6.9)
    assert (figure.layout.width, figure.layout.coloraxis.cmax) == (662, 9)
    assert [trace.z.sum() for trace in figure.data] == [p.total for p in panels]
    assert len(figure.layout.shapes) == 2
    assert picture_options("a", "png", figure)["toImageButtonOptions"]["scale"] * 96 == 300


def test_bad_sizes_and_nothing_to_draw_are_named() -> None:
    with pytest.raises(ValueError, match="no ranks to draw"):
        heatmap_svg([])
    with pytest.raises(ValueError, match=r"width = 0\.1"):
        print_heatmap([panel("A", 2, 3)], width=0.1)


def test_panels_show_the_ranks_at_the_end_and_number_runs_of_one_method() -> None:
    runs = [(run.info(), run.events()) for run in read_bundle(recorded_races()[0].path)]
    panels = rank_panels([*runs, runs[0]])
    again = panels[0].label.removesuffix(" 1")
    assert panels[0].label == f"{again} 1" and panels[-1].label == f"{again} 2"
    assert [p.total for p in panels[:-1]] == [info.total_rank for info, _ in runs]
    assert rank_panels([(runs[0][0], [])]) == []
