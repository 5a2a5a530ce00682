"""The charts of a study show every trial that was scored, once, and nothing that was not measured."""

import numpy as np
import plotly.graph_objects as go
import pytest
from made_up_study import made_up_study

from triadapt.figures.sweep_lines import field_lines
from triadapt.figures.sweep_parallel import parallel_lines
from triadapt.figures.sweep_response import response_map
from triadapt.figures.sweep_trials import field_importance, trial_curves
from triadapt.sweeps.record import StudyRecord
from triadapt.ui.sweep_charts import _sizes
from triadapt.views.sweep.slices import along, place_of, scored, values_of, where

STUDY = made_up_study()
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
    own = [
        trial.value for trial in scored(STUDY)
        if trial.point == {"method": "increlora", "warmup": 60, "interval": 40}
    ]  # fmt: skip
    assert maps[1].z[3][1] == pytest.approx(np.mean(own))


def test_a_field_of_many_values_gets_points_and_no_cells() -> None:
    many = made_up_study({"warmup": list(range(20, 60)), "interval": [5, 10]}, seeds=1)
    figure = response_map(many, "warmup", "interval", {})
    assert {trace.type for trace in figure.data} == {"scatter"}
    assert numbers(figure) == sorted(trial.number for trial in scored(many))


def test_lines_have_every_trial_and_means_over_seeds_of_equal_points() -> None:
    figure = field_lines(STUDY, "warmup", {"interval": 10})
    expected = [trial for trial in scored(STUDY) if trial.point["interval"] == 10]
    assert numbers(figure) == sorted(trial.number for trial in expected)
    line = next(trace for trace in figure.data if trace.name == "TriAdaptLoRA")
    places = along(
        where([trial for trial in expected if trial.point["method"] == "triadaptlora"], {}), "warmup",
        values_of(STUDY, "warmup"),
    )  # fmt: skip
    assert list(line.y) == [place.mean for place in places]
    assert all(place.low <= place.mean <= place.high for place in places)


def test_a_method_without_the_field_is_a_level_line() -> None:
    trials = tuple(
        trial if trial.point["method"] != "lora" else type(trial)(**{**trial.__dict__, "point": {
            name: value for name, value in trial.point.items() if name != "warmup"}})
        for trial in MIXED.trials
    )  # fmt: skip
    figure = field_lines(StudyRecord(MIXED.info, MIXED.config, trials), "warmup", {})
    assert any(trace.name == "LoRA (does not use it)" and len(set(trace.y)) == 1 for trace in figure.data)


def test_the_interval_over_seeds_averages_each_seed_first_and_is_a_point_with_one_seed() -> None:
    by_hand = place_of(60, scored(STUDY)[:8])
    assert len(by_hand.by_seed) == len({trial.seed for trial in scored(STUDY)[:8]})
    one = place_of(60, scored(STUDY)[:1])
    assert one.low == one.mean == one.high


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


def test_a_point_in_any_chart_that_can_be_clicked_names_a_trial() -> None:
    study = made_up_study()
    numbers = {trial.number for trial in study.trials}
    drawn = _sizes(study)
    clickable = [trace for trace in drawn.data if trace.customdata is not None]
    assert clickable and all(set(trace.customdata) <= numbers for trace in clickable)
