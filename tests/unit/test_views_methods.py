"""Methods against their price: what can be compared, groups and their words, the front, sizes, the recorded studies."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from compare_runs import config, events, stamped
from compare_runs import store as store_run
from hypothesis import given
from hypothesis import strategies as st

from triadapt.config import RunConfig
from triadapt.events import Event, Started
from triadapt.figures.sweep_pareto import pareto
from triadapt.methods.registry import METHODS
from triadapt.recorded import make_pareto
from triadapt.runs.info import RunError
from triadapt.runs.library import list_runs, new_race
from triadapt.runs.store import RunStore
from triadapt.views.compare.configuration import flat
from triadapt.views.methods.card_sizes import models, size_of, sizes
from triadapt.views.methods.drawn import beaten, figure_groups, table_rows
from triadapt.views.methods.finished import FinishedRun
from triadapt.views.methods.kinds import first_kind, kinds_of
from triadapt.views.methods.reading import KnownResults
from triadapt.views.methods.recorded import read_studies, recorded_kinds, studies_text, write_study
from triadapt.views.methods.result import PRICES, Kind, Result, memory_of
from triadapt.views.methods.settings_words import said, told_apart
from triadapt.views.methods.standing import at_best_rate, groups_of, headline, is_wide, priced, share, standings

PARAMETERS = PRICES["parameters"]


def finished(
    method: str = "lora", value: float = 0.5, parameters: int = 100, created: float = 0.0, **values: Any
) -> Any:
    run = config(method, **values)
    return FinishedRun(
        run=f"{method}-{run.seed}", method=method, task=run.task, config=flat(run.as_dict()), metric="recovered",
        higher_is_better=True, value=value, parameters=parameters, most_parameters=parameters, frozen_bytes=1000,
        step_seconds=0.002, created=created,
    )  # fmt: skip


def result(method: str, value: float, parameters: int, seed: int = 1, settings: str = "", **more: Any) -> Result:
    return Result(method, settings, seed, value, parameters, **more)


def kind(*results: Result, higher: bool = True) -> Kind:
    return Kind("k", "Task", "accuracy", higher, results)


def stands(*results: Result, higher: bool = True) -> list[Any]:
    return standings(groups_of(results), PARAMETERS, higher_is_better=higher)


# What can be compared


def test_runs_are_of_one_kind_when_task_data_metric_steps_and_batch_are_the_same() -> None:
    same = [finished(seed=1), finished("triadaptlora", seed=2, reference_rank=4), finished(learning_rate=1e-3)]
    assert [found.methods for found in kinds_of(same)] == [2]
    others = [finished(steps=80), finished(batch_size=8), finished(planted={"width": 32})]
    assert len(kinds_of([*same, *others])) == 4
    assert len(kinds_of([same[0], replace(same[0], metric="loss"), replace(same[0], higher_is_better=False)])) == 3


def test_kinds_are_told_apart_in_words_and_the_newest_comes_first() -> None:
    kinds = kinds_of([
        finished(created=1.0), finished("increlora", created=2.0), finished(created=3.0, planted={"width": 32}),
        finished(created=4.0, steps=1),
    ])  # fmt: skip
    assert [found.label for found in kinds] == [
        "Planted ranks, 1 step, width 64 · 1 method, 1 run",
        "Planted ranks, 40 steps, width 32 · 1 method, 1 run",
        "Planted ranks, 40 steps, width 64 · 2 methods, 2 runs",
    ]
    assert len({found.key for found in kinds}) == 3 and all(found.key.startswith("planted-") for found in kinds)


def test_no_two_kinds_have_the_same_label() -> None:
    kinds = kinds_of(
        finished(batch_size=batch, planted={"width": width, "tokens": tokens, "heads": heads})
        for batch in (8, 16) for width in (32, 64) for tokens in (4, 8) for heads in (2, 4)
    )  # fmt: skip
    assert len(kinds) == len({found.label for found in kinds}) == 16


def test_first_is_the_kind_with_most_methods_and_a_recorded_one_where_none_has_two() -> None:
    recorded = replace(kind(result("lora", 1, 1)), recorded=True, key="recorded")
    lone = kinds_of([finished(created=9.0)])
    two = kinds_of([finished(created=1.0), finished("increlora", created=1.0)])
    newer = kinds_of([finished(created=2.0, steps=80), finished("adalora", created=2.0, steps=80)])
    assert first_kind([*lone, recorded]) == recorded
    assert first_kind([*lone, *two, recorded]) == two[0]
    assert first_kind([*lone, *two, *newer, recorded]) == newer[0]
    assert first_kind(lone) == lone[0] and first_kind([]) is None


# Groups and their words


def labels(*runs: FinishedRun) -> list[str]:
    (found,) = kinds_of(runs)
    return [group.label for group in groups_of(found.results)]


def test_runs_that_differ_in_seed_or_in_what_is_recorded_are_one_group() -> None:
    assert labels(finished(seed=1), finished(seed=2, eval_every=5, threads=3)) == ["LoRA"]


def test_a_method_without_a_schedule_is_not_told_apart_by_one() -> None:
    assert labels(finished(warmup=2, interval=3), finished(warmup=4, growth="fixed")) == ["LoRA"]
    found = labels(finished("triadaptlora", warmup=2), finished("triadaptlora", warmup=4))
    assert found == ["TriAdaptLoRA warm-up 2", "TriAdaptLoRA warm-up 4"]
    assert labels(finished("adalora", top_h=2), finished("adalora", top_h=3)) == ["AdaLoRA"]


def test_what_a_method_makes_nothing_of_does_not_tell_its_runs_apart() -> None:
    halved: tuple[dict[str, Any], ...] = ({"reference_rank": 4, "alpha": 8.0}, {"reference_rank": 2, "alpha": 8.0})
    assert labels(*(finished("vera", **some) for some in halved)) == ["VeRA"]
    assert labels(*(finished("surm", **some) for some in halved)) == ["SURM scale 2", "SURM scale 4"]
    kronecker = {"structure": "kronecker", "displacement_rank": 3}
    assert labels(finished("surm", surm=kronecker), finished("surm", surm={"structure": "kronecker"})) == ["SURM"]
    assert labels(*(finished("adamss", **some) for some in halved)) == ["AdaMSS rank 4", "AdaMSS rank 2"]
    warm = [finished("adamss", warmup=warmup, adamss={"adaptive": adaptive}) for adaptive in (True, False)
            for warmup in (0, 5)]  # fmt: skip
    assert labels(*warm) == ["AdaMSS warm-up 0", "AdaMSS warm-up 5", "AdaMSS no adaptive"]
    assert labels(*(finished("increlora", growth=growth) for growth in ("fixed", "linear"))) == ["IncreLoRA"]


@pytest.mark.parametrize("method", ["loha", "tiedlora"])
def test_a_rank_is_told_once_wherever_it_was_chosen(method: str) -> None:
    def run(reference: int, rank: int) -> FinishedRun:
        return finished(method, reference_rank=reference, alpha=4.0 * reference, **{method: {"rank": rank}})  # type: ignore[no-any-return]

    label = METHODS[method].label
    assert labels(run(2, 4), run(4, 0), run(8, 4)) == [label]
    assert labels(run(2, 4), run(2, 0)) == [f"{label} rank 4", f"{label} rank 2"]


def test_settings_of_another_version_tell_runs_apart_as_they_are() -> None:
    known = finished("vera", reference_rank=2)
    other = replace(known, config=known.config | {"vera.colour": "red", "reference_rank": 4})
    assert len(labels(known, other)) == 2 and kinds_of([other])[0].results[0].counts


def test_settings_are_told_in_words_and_alpha_by_the_scale_it_makes() -> None:
    assert labels(finished(reference_rank=2, alpha=8.0), finished(reference_rank=4, alpha=16.0)) == [
        "LoRA rank 2", "LoRA rank 4",
    ]  # fmt: skip
    assert labels(finished(alpha=8.0), finished(alpha=4.0)) == ["LoRA scale 4", "LoRA scale 2"]
    oracle = finished(lora={"where": "planted"})
    assert labels(finished(), oracle) == ["LoRA", "LoRA ranks where planted"]
    assert [group.counts for group in groups_of(kinds_of([finished(), oracle])[0].results)] == [True, False]
    assert (
        said("oft.trains", "vu") == "trains vu"
        and said("x.bias", False) == "no bias"
        and said("x.bias", True) == "bias"
    )


def test_many_settings_are_counted_and_groups_keep_names_of_their_own() -> None:
    fields: dict[str, Any] = {"learning_rate": 1e-3, "weight_decay": 0.1, "lr_warmup": 1}
    found = labels(finished(), finished(**fields, max_grad_norm=2.0), finished(**fields, max_grad_norm=3.0))
    alike = "learning rate 0.001, weight decay 0.1, learning rate warm-up 1, +1 more"
    assert found[1:] == [f"LoRA ({alike} #1)", f"LoRA ({alike} #2)"]
    assert told_apart([{"a": 1}]) == [""]


# The front


def test_of_learning_rates_the_best_of_each_setting_is_kept() -> None:
    runs = [finished("lora", value, seed=seed, learning_rate=rate, reference_rank=rank, alpha=4.0 * rank)
            for rank, rate, seed, value in ((2, 1e-3, 1, 0.5), (2, 1e-3, 2, 0.6), (2, 3e-3, 1, 0.7), (2, 3e-3, 2, 0.8),
                                            (2, 1e-2, 1, 0.99), (8, 1e-3, 1, 0.3), (8, 3e-3, 1, 0.2))]  # fmt: skip
    [found] = kinds_of([*runs, finished("increlora", 0.4, learning_rate=1e-3)])
    kept = at_best_rate(groups_of(found.results), higher_is_better=True)
    # The rate with one seed has the best number and the least to say for it.
    assert [group.settings for group in kept] == ["", "rank 2, learning rate 0.003", "rank 8, learning rate 0.001"]
    assert [group.method for group in kept] == ["increlora", "lora", "lora"]


def test_where_no_rate_tells_runs_apart_all_groups_are_kept() -> None:
    [found] = kinds_of([finished("lora", reference_rank=rank) for rank in (1, 2, 4)])
    assert all(result.but_rate is None for result in found.results)
    groups = groups_of(found.results)
    assert at_best_rate(groups, higher_is_better=True) == groups


def test_who_costs_no_more_and_is_better_beats() -> None:
    rows = stands(
        result("lora", 0.8, 100), result("increlora", 0.7, 120), result("adalora", 0.9, 200),
        result("triadaptlora", 0.5, 50),
    )  # fmt: skip
    words = {row.group.method: row.words for row in rows}
    assert words["increlora"] == "beaten by LoRA"
    assert words["lora"] == words["adalora"] == words["triadaptlora"] == "on the front"
    assert beaten(rows) == "Beaten by LoRA: IncreLoRA."
    lower = stands(result("lora", 0.8, 100), result("increlora", 0.7, 120), result("adalora", 0.9, 200), higher=False)
    assert {row.group.method for row in lower if row.on_front} == {"lora", "increlora"}


def test_equals_do_not_beat_each_other() -> None:
    assert all(row.on_front for row in stands(result("lora", 0.8, 100), result("adalora", 0.8, 100)))


def test_what_the_seeds_leave_open_is_said() -> None:
    close = stands(
        result("lora", 0.8, 100, 1), result("lora", 0.9, 100, 2), result("adalora", 0.7, 110, 1),
        result("adalora", 0.85, 110, 2),
    )  # fmt: skip
    assert close[0].words == "beaten by LoRA, within the spread of the seeds"
    barely = stands(result("increlora", 0.5, 90, 1), result("increlora", 0.5, 106, 2), result("lora", 0.8, 100))
    assert barely[0].words == "on the front, within the spread of the seeds"
    assert "IncreLoRA (98 parameters, accuracy 0.5, narrowly)" in headline(
        barely, PARAMETERS, metric="accuracy", higher_is_better=True
    )


def test_an_oracle_beats_nobody() -> None:
    rows = stands(result("lora", 0.8, 100), result("lora", 0.99, 50, settings="ranks where planted", counts=False))
    assert [row.words for row in rows] == ["on the front", "an oracle, not counted"]
    assert beaten(rows) == "LoRA ranks where planted is an oracle, not counted."


def test_the_line_in_words_names_who_is_as_good_as_lora_for_less() -> None:
    rows = stands(
        result("lora", 0.80, 100, 1), result("lora", 0.90, 100, 2), result("increlora", 0.82, 25),
        result("triadaptlora", 0.3, 10),
    )  # fmt: skip
    said = headline(rows, PARAMETERS, metric="accuracy", higher_is_better=True)
    assert said == (
        "On the front: TriAdaptLoRA (10 parameters, accuracy 0.3); IncreLoRA (25, 0.82); LoRA (100, 0.85). "
        "Of LoRA's quality within the spread of the seeds at 25 % of its parameters: IncreLoRA."
    )
    worse = stands(result("lora", 0.8, 100), result("increlora", 0.7, 25))
    assert headline(worse, PARAMETERS, metric="accuracy", higher_is_better=True).endswith(
        "No other method comes up to LoRA with fewer parameters."
    )
    alone = stands(result("lora", 0.8, 100))
    assert headline(alone, PARAMETERS, metric="accuracy", higher_is_better=True) == (
        "On the front: LoRA (100 parameters, accuracy 0.8)."
    )
    assert headline([], PARAMETERS, metric="accuracy", higher_is_better=True) == ""


def test_of_several_loras_the_best_is_named_that_another_method_comes_up_to() -> None:
    rows = stands(
        result("lora", 0.9, 200, settings="rank 4"), result("lora", 0.8, 100, settings="rank 2"),
        result("adalora", 0.81, 60),
    )  # fmt: skip
    said = headline(rows, PARAMETERS, metric="accuracy", higher_is_better=True)
    assert said.endswith("Of LoRA rank 2's quality at 60 % of its parameters: AdaLoRA.")


def test_a_lora_that_another_one_beats_is_no_measure() -> None:
    rows = stands(
        result("lora", 0.9, 100, settings="scale 4"), result("lora", 0.5, 110, settings="scale 1"),
        result("adalora", 0.6, 90),
    )  # fmt: skip
    said = headline(rows, PARAMETERS, metric="accuracy", higher_is_better=True)
    assert said.endswith("No other method comes up to LoRA scale 4 with fewer parameters.")


@given(
    st.lists(
        st.tuples(st.integers(1, 40), st.integers(0, 20), st.sampled_from(list(METHODS))), min_size=1, max_size=12
    ),
    st.booleans(),
)
def test_off_the_front_somebody_on_it_is_no_worse_in_both(points: list[tuple[int, int, str]], higher: bool) -> None:
    results = [result(method, value, price, settings=f"#{n}") for n, (price, value, method) in enumerate(points)]
    rows = stands(*results, higher=higher)
    by_label = {row.group.label: row for row in rows}
    sign = 1 if higher else -1
    assert any(row.on_front for row in rows)
    for row in rows:
        if row.beaten_by:
            winner = by_label[row.beaten_by]
            assert winner.on_front and winner.price <= row.price
            assert sign * winner.group.value >= sign * row.group.value
            assert (winner.price, winner.group.value) != (row.price, row.group.value)
        else:
            assert not any(
                other.price <= row.price and sign * other.group.value >= sign * row.group.value
                and (other.price, other.group.value) != (row.price, row.group.value)
                for other in rows
            )  # fmt: skip


@given(st.lists(st.integers(1, 10**9), min_size=1, max_size=8))
def test_an_axis_is_logarithmic_from_a_ratio_of_twenty_on(prices: list[int]) -> None:
    rows = stands(*(result("lora", 0.5, price, settings=f"#{n}") for n, price in enumerate(prices)))
    assert is_wide(rows) == (max(prices) > 20 * min(prices))


def test_memory_needs_both_parts_and_runs_without_a_price_are_left_out() -> None:
    assert memory_of(1000, 10) == 1160 and memory_of(0, 10) is None and memory_of(1000, None) is None
    found = kind(result("lora", 0.8, 100, memory=2_000_000), result("lora", 0.9, 100, 2), result("adalora", 0.7, 50))
    groups, left_out = priced(found, PRICES["memory"])
    assert [group.label for group in groups] == ["LoRA"] and left_out == 2 and groups[0].values == [0.8]
    assert PRICES["memory"].said(groups[0].price(PRICES["memory"]) or 0) == "2 MB"
    assert share(1, 200) == "0.5 %" and share(3, 4) == "75 %"


@pytest.mark.parametrize("seconds", [float("inf"), float("nan")])
def test_a_price_that_is_no_number_counts_as_not_recorded(seconds: float) -> None:
    found = kind(result("lora", 0.8, 100, step_seconds=0.002), result("adalora", 0.9, 50, step_seconds=seconds))
    groups, left_out = priced(found, PRICES["time"])
    assert [group.method for group in groups] == ["lora"] and left_out == 1
    rows = standings(groups_of(found.results), PRICES["time"], higher_is_better=True)
    assert not is_wide(rows) and [row.group.method for row in rows] == ["lora"]
    assert {row["Method"]: row["Step, ms"] for row in table_rows(found, rows)} == {"AdaLoRA": None, "LoRA": 2.0}


def test_the_table_has_every_group_best_first_with_its_share_of_lora() -> None:
    found = kind(
        result("lora", 0.8, 200), result("increlora", 0.9, 100), result("adalora", 0.1, 150, step_seconds=0.002)
    )
    rows = table_rows(found, standings(groups_of(found.results), PARAMETERS, higher_is_better=True))
    assert [(row["Method"], row["% of LoRA"], row["Standing"]) for row in rows] == [
        ("IncreLoRA", 50.0, "on the front"), ("LoRA", 100.0, "beaten by IncreLoRA"),
        ("AdaLoRA", 75.0, "beaten by IncreLoRA"),
    ]  # fmt: skip
    assert rows[2]["Step, ms"] == pytest.approx(2.0) and rows[0]["Memory, MB"] is None
    without = table_rows(found, standings(groups_of(found.results), PRICES["time"], higher_is_better=True))
    assert [row["Standing"] for row in without] == ["price not recorded", "price not recorded", "on the front"]


def test_the_figure_has_a_mark_a_group_four_variants_of_a_symbol_and_says_how_each_stands() -> None:
    rows = stands(*(result("lora", 0.5 - n / 10, 10**n, settings=f"rank {n}") for n in range(5)))
    figure = pareto(
        figure_groups(rows, PARAMETERS), metric="accuracy", higher_is_better=True, logarithmic=is_wide(rows)
    )
    *marks, front = figure.data
    assert [mark.marker.symbol.removeprefix(marks[0].marker.symbol) for mark in marks] == [
        "", "-open", "-dot", "-open-dot", "",
    ]  # fmt: skip
    assert list(figure.layout.xaxis.tickvals) == [0.1, 1, 10, 100, 1000, 10000]
    assert figure.layout.xaxis.type == "log" and front.line.dash == "dot"
    assert "on the front" in marks[0].hovertemplate and "beaten by LoRA rank 0" in marks[1].hovertemplate


# Reading


def started(run: RunConfig, frozen_bytes: int) -> list[Event]:
    first, *rest = events(run, [[1, 1, 1, 1], [2, 1, 1, 1], [2, 2, 1, 1]])
    assert isinstance(first, Started)
    return [replace(first, frozen_bytes=frozen_bytes), *rest]


def keep(folder: Path, run: RunConfig, *, frozen_bytes: int = 0, step_seconds: float | None = None) -> str:
    race = new_race(folder, [run])
    with RunStore.open(race.folders[0]) as opened:
        if step_seconds is not None:
            opened.set_measured({"step_seconds": step_seconds})
        opened.copy_events(stamped(started(run, frozen_bytes)))
        opened.set_state("finished")
    return race.run_ids[0]


def test_parameters_are_those_of_the_last_rank_event_and_older_runs_lack_a_price(tmp_path: Path) -> None:
    keep(tmp_path, config(seed=1), frozen_bytes=5000, step_seconds=0.25)
    keep(tmp_path, config("lora", seed=2))
    store_run(tmp_path, config(seed=3), [[1, 1, 1, 1], [2, 1, 1, 1]], finished=False)
    known = KnownResults()
    found = known.of(list_runs(tmp_path))
    assert {run.method: (run.parameters, run.frozen_bytes, run.step_seconds) for run in found} == {
        "triadaptlora": (60, 5000, 0.25), "lora": (60, 0, None),
    }  # fmt: skip
    (of_both,) = kinds_of(found)
    assert {one.method: one.memory for one in of_both.results} == {"triadaptlora": 5960, "lora": None}
    assert known.of(list_runs(tmp_path)) == found


def test_memory_is_that_of_the_step_at_which_most_trained_and_parameters_those_of_the_end(tmp_path: Path) -> None:
    for run, states in (
        (config("adalora"), [[3, 3, 3, 3], [2, 2, 2, 2], [1, 2, 1, 1]]),
        (config(), [[1, 1, 1, 1], [2, 3, 2, 2], [1, 2, 2, 2]]),
        (config("lora"), [[2, 2, 2, 2]]),
    ):
        race = new_race(tmp_path, [run])
        with RunStore.open(race.folders[0]) as opened:
            first, *rest = events(run, states)
            assert isinstance(first, Started)
            opened.copy_events(stamped([replace(first, frozen_bytes=1000), *rest]))
            opened.set_state("finished")
    (found,) = kinds_of(KnownResults().of(list_runs(tmp_path)))
    assert {one.method: (one.parameters, one.memory) for one in found.results} == {
        "adalora": (50, 1000 + 16 * 120), "triadaptlora": (70, 1000 + 16 * 90), "lora": (80, 1000 + 16 * 80),
    }  # fmt: skip


def test_what_stands_still_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keep(tmp_path, config(seed=1))
    known, infos = KnownResults(), list_runs(tmp_path)
    found = known.of(infos)
    monkeypatch.setattr("triadapt.views.methods.reading.read_finished", lambda info: pytest.fail(f"read {info.id}"))
    assert known.of(infos) == found


def test_a_damaged_run_is_no_result(tmp_path: Path) -> None:
    name = keep(tmp_path, config(seed=1))
    infos = list_runs(tmp_path)
    (tmp_path / name / "run.db").write_bytes(b"no database" * 200)
    assert KnownResults().of(infos) == []


# Recorded studies


def test_the_shipped_studies_read_and_hold_several_methods_with_every_price() -> None:
    assert recorded_kinds()
    for study in recorded_kinds():
        assert study.methods > 1 and study.what and study.command and study.machine and study.recorded
        assert all(priced(study, price)[1] == 0 for price in PRICES.values()), study.key


def test_a_study_is_written_replaced_and_read_back(tmp_path: Path) -> None:
    path = tmp_path / "pareto.json"
    first = replace(
        kind(result("lora", 0.5, 10, settings="rank 2", memory=7, step_seconds=0.25)), recorded=True, what="a"
    )
    write_study(path, first)
    write_study(path, replace(first, key="other"))
    write_study(path, replace(first, what="b"))
    assert [(study.key, study.what) for study in read_studies(path.read_text())] == [("k", "b"), ("other", "a")]
    assert read_studies(studies_text([first])) == [first]
    json.loads(studies_text([first]))


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"version": 2, "studies": []}', '{"version": 1, "studies": [{}]}'])
def test_a_file_that_is_none_is_told_in_one_line(text: str) -> None:
    with pytest.raises(RunError, match=r"^pareto\.json: "):
        read_studies(text)


def test_the_script_reads_a_folder_of_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs, path = tmp_path / "runs", tmp_path / "pareto.json"
    arguments = [str(runs), "--slug", "mine", "--into", str(path), "--what", "Two methods.", "--command", "make it"]
    assert make_pareto.main(arguments) == 2 and "no such folder" in capsys.readouterr().err
    for run in (config(seed=1), config("lora", seed=1)):
        keep(runs, run, frozen_bytes=100, step_seconds=0.5)
    assert make_pareto.main(arguments) == 0
    (study,) = read_studies(path.read_text())
    assert (study.key, study.methods, study.what, study.command) == ("mine", 2, "Two methods.", "make it")
    keep(runs, config("lora", steps=20))
    assert (
        make_pareto.main(arguments) == 2
        and "runs of 2 kinds; name one with --kind: planted-" in capsys.readouterr().err
    )
    assert make_pareto.main([*arguments, "--kind", "x"]) == 2 and "--kind x: not in" in capsys.readouterr().err
    key = next(found.key for found in kinds_of(KnownResults().of(list_runs(runs))) if found.methods == 2)
    assert make_pareto.main([*arguments, "--kind", key]) == 0


# Sizes of the cards


def test_every_method_has_a_size_over_every_model() -> None:
    for name, matrices in models().items():
        assert matrices.shapes, name
        for method, size in sizes(4, matrices).items():
            assert (size.parameters or 0) > 0 or size.problem, (name, method)


@pytest.mark.parametrize("rank", [1, 7, 64])
def test_lora_has_its_formula_and_triplets_one_more_a_rank(rank: int) -> None:
    shapes = [(64, 64), (128, 64), (64, 128)]
    lora = rank * sum(map(sum, shapes))
    assert size_of("lora", rank, shapes).parameters == lora
    for method in ("increlora", "adalora"):
        assert size_of(method, rank, shapes).parameters == lora + rank * len(shapes)


def test_every_card_tells_everything_it_is_asked() -> None:
    for name, spec in METHODS.items():
        card = spec.method_card()
        parts = (card.formula, card.parameters, card.adapts, card.fixed, card.choose, card.avoid, card.paper)
        assert all(parts) and card.source.startswith("https://"), name
