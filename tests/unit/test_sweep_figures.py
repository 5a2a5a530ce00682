"""The charts of a study show every trial that was scored, once, and nothing that was not measured."""

from dataclasses import replace

import numpy as np
import plotly.graph_objects as go
import pytest
from made_up_study import made_up_study

from triadapt.figures.sweep_lines import field_lines
from triadapt.figures.sweep_parallel import parallel_lines
from triadapt.figures.sweep_response import response_map
from triadapt.figures.sweep_trials import field_importance, trial_curves
from triadapt.sweeps.config import parse_sweep
from triadapt.sweeps.points import TriedPoint, points_of
from triadapt.sweeps.record import StudyInfo, StudyRecord, TrialRecord
from triadapt.ui.sweep_charts import _sizes
from triadapt.views.sweep.slices import along, place_of, scored, scored_in, values_of, where

STUDY = made_up_study()
POINTS = points_of(STUDY.trials)
MIXED = made_up_study({"method": ["triadaptlora", "lora"], "warmup": [20, 60], "learning_rate": [1e-3, 3e-3, 1e-1]})
EMPTY = made_up_study(share=0.0)
SCORED = sorted(trial.number for trial in scored(STUDY))


def numbers(figure: go.Figure) -> list[int]:
    return sorted(
        number for trace in figure.data if trace.type == "scatter" and "markers" in trace.mode
        for number in (trace.customdata if trace.customdata is not None else []) if number is not None
    )  # fmt: skip


def test_a_response_map_has_a_point_for_every_scored_trial_and_the_mean_of_its_cell() -> None:
    figure = response_map(STUDY, "warmup", "interval", {})
    assert numbers(figure) == SCORED
    maps = [trace for trace in figure.data if trace.type == "heatmap"]
    assert [title.text for title in figure.layout.annotations] == ["TriAdaptLoRA", "IncreLoRA"]
    own = [tried for tried in POINTS if tried.point == {"method": "increlora", "warmup": 60, "interval": 40}]
    assert own[0].counts and maps[1].z[3][1] == pytest.approx(np.mean(list(own[0].values.values())))


def test_a_cell_whose_point_lost_a_seed_is_in_brackets_and_an_empty_one_says_nothing() -> None:
    trials = [
        TrialRecord(0, {"warmup": 10, "interval": 5}, 7, "complete", 0.25),
        TrialRecord(1, {"warmup": 10, "interval": 5}, 8, "complete", 0.75),
        TrialRecord(2, {"warmup": 20, "interval": 5}, 7, "complete", 0.125),
        TrialRecord(3, {"warmup": 20, "interval": 5}, 8, "failed", error="diverged"),
        TrialRecord(4, {"warmup": 10, "interval": 9}, 7, "failed", error="diverged"),
        TrialRecord(5, {"warmup": 10, "interval": 9}, 8, "failed", error="diverged"),
        TrialRecord(6, {"warmup": 20, "interval": 9}, 7, "complete", float("nan")),
        TrialRecord(7, {"warmup": 20, "interval": 9}, 8, "waiting"),
    ]
    config = parse_sweep({"space": {"warmup": [10, 20, 40], "interval": [5, 9]}, "seeds": 2})
    study = StudyRecord(StudyInfo("study", metric="loss", points=6, trials=12), config, tuple(trials))
    figure = response_map(study, "warmup", "interval", {})
    (heat,) = [trace for trace in figure.data if trace.type == "heatmap"]
    assert [list(row) for row in heat.text] == [["0.5", "(0.125)", ""], ["lost", "lost", ""]]
    assert np.isfinite(heat.z).tolist() == [[True, False, False], [False, False, False]]
    assert heat.hovertext[0][1].endswith("1 of 2 seeds, 1 failed") and numbers(figure) == [0, 1, 2]
    along_a_field = field_lines(study, "warmup", {"interval": 5})
    line, mark = along_a_field.data[-2:]
    assert list(line.x) == [0] and (list(mark.x), list(mark.y), mark.marker.symbol) == ([1], [0.125], "circle-open")
    # Beside a point that counts, what is left of a broken one is left out.
    cell = field_lines(study, "interval", {}).data[-1]
    assert list(cell.y) == [0.5] and "1 point; 1 left out, with a failed or pruned seed" in cell.hovertext[0]


def test_a_field_of_many_values_gets_points_and_no_cells() -> None:
    many = made_up_study({"warmup": list(range(20, 60)), "interval": [5, 10]}, seeds=1)
    figure = response_map(many, "warmup", "interval", {})
    assert {trace.type for trace in figure.data} == {"scatter"}
    assert numbers(figure) == sorted(trial.number for trial in scored(many))


def test_lines_have_every_trial_and_means_over_seeds_of_equal_points() -> None:
    figure = field_lines(STUDY, "warmup", {"interval": 10})
    expected = where(POINTS, {"interval": 10})
    assert numbers(figure) == [trial.number for trial in scored_in(expected)]
    line = next(trace for trace in figure.data if trace.name == "TriAdaptLoRA")
    own = [tried for tried in expected if tried.point["method"] == "triadaptlora"]
    places = along(own, "warmup", values_of(STUDY, "warmup"))
    assert list(line.y) == [place.mean for place in places if place.counts]
    assert all(place.low <= place.mean <= place.high for place in places)


def test_a_method_without_the_field_is_a_level_line() -> None:
    trials = tuple(
        trial if trial.point["method"] != "lora" else type(trial)(**{**trial.__dict__, "point": {
            name: value for name, value in trial.point.items() if name != "warmup"}})
        for trial in MIXED.trials if trial.point["method"] != "lora" or trial.point["warmup"] == 20
    )  # fmt: skip
    figure = field_lines(StudyRecord(MIXED.info, MIXED.config, trials), "warmup", {})
    level = figure.data[-1]
    assert len(set(level.y)) == 1 and level.opacity < 1  # each of its points lost a seed
    assert level.name == "LoRA (does not use it; 3 points, each with a failed or pruned seed)"
    whole = tuple(replace(trial, state="complete", value=0.5) for trial in trials)
    level = field_lines(StudyRecord(MIXED.info, MIXED.config, whole), "warmup", {}).data[-1]
    assert level.name == "LoRA (does not use it)" and list(level.y) == [0.5, 0.5]


def test_the_interval_over_seeds_averages_each_seed_first_and_is_a_point_with_one_seed() -> None:
    def tried(warmup: int, **values: float) -> TriedPoint:
        trials = [TrialRecord(0, {"warmup": warmup}, int(seed[1:]), "complete", v) for seed, v in values.items()]
        return TriedPoint(tuple(trials))

    place = place_of(60, [tried(1, s7=1.0, s8=2.0), tried(2, s7=3.0, s8=4.0)])
    assert place is not None and place.by_seed.tolist() == [2.0, 3.0] and place.mean == 2.5
    assert place.high - place.mean == pytest.approx(12.706 * 0.5, abs=1e-3)
    one = place_of(60, [tried(1, s7=1.0)])
    assert one is not None and one.low == one.mean == one.high
    assert place_of(60, []) is None


def test_parallel_lines_have_every_trial_and_an_axis_a_field() -> None:
    figure = parallel_lines(MIXED)
    assert set(numbers(figure)) == {trial.number for trial in scored(MIXED)}
    texts = [note.text for note in figure.layout.annotations]
    assert {"<b>method</b>", "<b>warm-up</b>", "<b>learning rate</b>", "<b>relative loss</b>"} <= set(texts)


def test_curves_of_pruned_and_failed_trials_are_told_apart() -> None:
    figure = trial_curves(STUDY)
    assert {trace.name for trace in figure.data if trace.showlegend} == {"TriAdaptLoRA", "IncreLoRA", "pruned"}
    assert len(figure.data) == sum(bool(trial.intermediate) for trial in STUDY.trials)


def test_importance_is_a_bar_a_field_with_its_share() -> None:
    figure = field_importance({"warmup": 0.7, "interval": 0.3})
    assert list(figure.data[0].text) == ["30%", "70%"]


def test_a_study_without_a_score_draws_empty_charts() -> None:
    for figure in (
        response_map(EMPTY, "warmup", "interval", {}), field_lines(EMPTY, "warmup", {}), parallel_lines(EMPTY),
        trial_curves(EMPTY),
    ):  # fmt: skip
        assert numbers(figure) == []
        figure.to_json()


def test_against_size_a_dot_is_a_point_and_none_is_a_mean_over_other_fields() -> None:
    figure = _sizes(STUDY)
    dots = [trace for trace in figure.data if trace.mode == "markers" and trace.marker.size == 13]
    means = {round(tried.mean, 9): tried for tried in POINTS if tried.mean is not None}
    assert len(dots) == len(means) and {round(dot.y[0], 9) for dot in dots} == set(means)
    for dot in dots:
        assert dot.marker.symbol.endswith("-open") == means[round(dot.y[0], 9)].broken
    assert [dot.name for dot in dots if dot.showlegend] == ["TriAdaptLoRA", "IncreLoRA"]
    assert "warm-up 60, interval 5" in "".join(dot.hovertemplate for dot in dots)
    # The front is one of points whose seeds are whole, though a broken one of them has the best mean.
    lucky = replace(STUDY, trials=(replace(STUDY.trials[0], value=0.0), replace(STUDY.trials[32], state="failed"),
                                   *STUDY.trials[64:65]))  # fmt: skip
    assert [trace.name for trace in _sizes(lucky).data if trace.mode == "lines"] == []


def test_a_point_in_any_chart_that_can_be_clicked_names_a_trial() -> None:
    assert numbers(_sizes(STUDY)) == SCORED
