"""LoRA that was told where rank is needed."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from peft import PeftModel
from safetensors.torch import load_file
from tiny_runs import SIZE, advance, finish, opened, outputs, tiny

from triadapt import cli
from triadapt.config import ConfigError, RunConfig, load_toml, parse_config
from triadapt.events import (
    SAVED,
    Checkpointed,
    Event,
    Finished,
    Geometry,
    Matrix,
    RankEvent,
    Stamped,
    Started,
    Step,
    Warned,
    encode,
)
from triadapt.growth.lints import lints
from triadapt.growth.parameters import parameters_along
from triadapt.growth.preview import preview, shapes_of
from triadapt.methods.lora.placement import planted_ranks
from triadapt.methods.lora.run import Run
from triadapt.methods.plain_lora import save_as_lora
from triadapt.runs.branch import branch_points, make_branch, plan_branch, recorded_totals
from triadapt.runs.event_checks import check_events
from triadapt.runs.export import MODEL_FORMS
from triadapt.runs.info import RunError, RunInfo
from triadapt.runs.library import new_race
from triadapt.runs.reader import RunReader
from triadapt.runs.scalar_tags import TOTAL, scalars_of
from triadapt.runs.summary import summary
from triadapt.training.export_model import export_model
from triadapt.training.session import Session
from triadapt.training.train import train
from triadapt.views.compare.record import record_of
from triadapt.views.health import findings
from triadapt.views.what_if.recording import recording_of
from triadapt.workers.lockstep import Command, Lockstep

TRUTH = {**SIZE, "planted_fraction": 0.5}


def oracle(**values: Any) -> RunConfig:
    """Three of six matrices carry rank 3; a budget of 18 puts 6 on each of them, one of 9 just those 3."""
    return tiny("lora", **{"planted": TRUTH, "lora": {"where": "planted"}, **values})


def encoded(events: list[Event]) -> list[tuple[str, int, str, bytes]]:
    return [(event.kind, event.step, *encode(event)) for event in events if not isinstance(event, Checkpointed)]


def saved_in(events: list[Event]) -> list[RankEvent]:
    return [event for event in events if isinstance(event, RankEvent) and event.rule == SAVED]


def stamped(events: list[Event]) -> list[Stamped]:
    return [Stamped(seq, float(seq), event) for seq, event in enumerate(events, 1)]


@given(st.integers(0, 80), st.lists(st.tuples(st.integers(0, 9), st.integers(1, 12)), min_size=1, max_size=12))
def test_the_budget_goes_to_planted_matrices_as_evenly_as_it_fits(budget: int, given_in: list[tuple[int, int]]) -> None:
    planted, sizes = [list(column) for column in zip(*given_in, strict=True)]
    ranks = [int(rank) for rank in planted_ranks(budget, planted, sizes)]
    carriers = [i for i, rank in enumerate(planted) if rank]
    assert sum(ranks) == min(budget, sum(sizes[i] for i in carriers))
    assert all(rank == 0 or planted[i] > 0 for i, rank in enumerate(ranks))
    assert all(rank <= size for rank, size in zip(ranks, sizes, strict=True))
    open_to_more = [i for i in carriers if ranks[i] < sizes[i]]
    for i in open_to_more:
        # Nobody is ahead of one that could hold more by above one rank, and the first in need come first.
        assert max(ranks[j] for j in carriers) <= ranks[i] + 1
        for j in open_to_more:
            if planted[i] > planted[j] or (planted[i] == planted[j] and i < j):
                assert ranks[i] >= ranks[j]


def test_a_remainder_goes_to_the_largest_planted_rank() -> None:
    assert planted_ranks(7, [2, 0, 5, 5], [9, 9, 9, 9]).tolist() == [2, 0, 3, 2]
    assert planted_ranks(7, [2, 0, 5, 5], [9, 9, 1, 9]).tolist() == [3, 0, 1, 3]
    assert planted_ranks(7, [0, 0], [9, 9]).tolist() == [0, 0]


@pytest.mark.parametrize("task", ["text", "files", "hub", "qa", "causal"])
def test_a_task_without_a_known_truth_has_no_oracle(task: str) -> None:
    with pytest.raises(ConfigError) as error:
        parse_config({"method": "lora", "task": task, "lora": {"where": "planted"}})
    line = "lora.where = 'planted': only the planted task knows where rank is needed; use even"
    assert line in error.value.lines


def test_where_nothing_is_planted_there_is_nowhere_to_put_rank() -> None:
    with pytest.raises(ConfigError, match=r"planted_fraction = 0.0 plants nothing; raise it or use even"):
        oracle(planted={**SIZE, "planted_fraction": 0.0})


def test_matrices_whose_truth_is_unknown_stop_the_run_when_it_starts() -> None:
    config = oracle()
    session = opened(tiny("lora"))
    unknown = [Matrix(matrix.name, 0, matrix.module, matrix.shape) for matrix in session.matrices]
    with pytest.raises(ValueError, match="only the planted task knows"):
        Run.adapt(session.task.build_model(), unknown, config, [])


def test_other_methods_do_not_look_at_it() -> None:
    config = parse_config({"method": "adalora", "task": "text", "lora": {"where": "planted"}})
    assert "lora" not in config.as_dict()
    assert parse_config({"method": "lora"}).as_dict()["lora"] == {"where": "even"}


def test_only_planted_matrices_have_an_adapter_and_all_have_one_scale() -> None:
    session, even = opened(oracle()), opened(tiny("lora", planted=TRUTH))
    method: Any = session.method
    planted = [matrix.planted_rank for matrix in session.matrices]
    assert session.method.ranks().tolist() == [6 if rank else 0 for rank in planted]
    for layer, rank in zip(method.layers, planted, strict=True):
        assert hasattr(layer, "lora_A") == bool(rank)
        if rank:
            assert layer.scaling["default"] == pytest.approx(8.0 / 3)
    of_even: Any = even.method
    assert all(layer.scaling["default"] == pytest.approx(8.0 / 3) for layer in of_even.layers)
    held = sum(p.numel() for p in session.trainable.values())
    assert method.parameter_count() == held
    assert all("lora_" in name for name in session.trainable)
    # Nothing but where rank is differs: the first step of both sees the same loss.
    first, other = session.advance()[0], even.advance()[0]
    assert isinstance(first, Step) and isinstance(other, Step) and first.loss == pytest.approx(other.loss, abs=1e-6)


def test_layers_are_found_by_their_whole_name_where_there_are_many_blocks() -> None:
    many = {**SIZE, "blocks": 12, "planted_fraction": 0.4}
    session = opened(oracle(planted=many, reference_rank=1))
    adapted = {name.split(".lora_")[0].removeprefix("base_model.model.") for name in session.trainable}
    carriers = [matrix.name for matrix in session.matrices if matrix.planted_rank]
    assert adapted == set(carriers) and len(carriers) == 29
    assert int(session.method.ranks().sum()) == 72
    assert int(np.ptp(session.method.ranks()[session.method.ranks() > 0])) <= 1


def test_spectra_are_those_of_the_dense_update_and_none_where_there_is_no_adapter() -> None:
    session = opened(oracle())
    finish(session)
    method: Any = session.method
    singular, core = method.geometry()
    assert len(singular) == 18 and not len(core)
    starts = [0, *np.cumsum(method.ranks(), dtype=int)]
    for i, layer in enumerate(method.layers):
        part = singular[starts[i] : starts[i + 1]]
        if hasattr(layer, "lora_A"):
            dense = torch.linalg.svdvals(layer.get_delta_weight("default").detach())[: len(part)].numpy()
            np.testing.assert_allclose(part, dense, rtol=1e-3, atol=2e-6)
        B, middle, A, shown = method.factors(i)
        assert (B.shape[0], A.shape[1]) == session.matrices[i].shape
        assert B.shape[1] == A.shape[0] == method.ranks()[i] and middle is None and not len(shown)


def test_a_run_that_starts_uneven_tells_its_ranks_once_and_an_even_one_does_not() -> None:
    events = list(train(oracle()))
    check_events(events)
    (event,) = saved_in(events)
    assert events.index(event) == 1 and isinstance(events[0], Started)
    assert event.step == 0 and event.chosen == [] and math.isnan(event.threshold)
    assert event.ranks.tolist() == event.before.tolist() and event.total_rank == 18 == events[0].start_total_rank
    assert event.trainable_parameters == events[0].trainable_parameters
    assert not [event for event in events if isinstance(event, Warned)]
    assert len([event for event in events if isinstance(event, RankEvent)]) == 1
    for geometry in (event for event in events if isinstance(event, Geometry)):
        assert geometry.ranks.tolist() == event.ranks.tolist() and len(geometry.singular) == 18
    assert not saved_in(list(train(tiny("lora"))))


def test_where_everything_is_planted_the_oracle_is_plain_lora() -> None:
    everywhere = {**SIZE, "planted_fraction": 1.0}
    events = list(train(oracle(planted=everywhere)))
    plain = list(train(tiny("lora", planted=everywhere)))
    assert not saved_in(events)
    assert encoded(events)[1:] == encoded(plain)[1:]


def test_what_does_not_fit_is_told_and_left_over() -> None:
    narrow = {**SIZE, "width": 16, "planted_fraction": 0.2}
    config = oracle(planted=narrow, reference_rank=4)
    assert (preview(config).start, preview(config).target) == (16, 24)
    events = list(train(config))
    assert isinstance(events[0], Started) and events[0].start_total_rank == 16
    (warned,) = [event for event in events if isinstance(event, Warned)]
    assert "16 of the budget of 24 ranks fit" in warned.message and "lower reference_rank" in warned.message


def test_the_preview_bounds_what_the_run_trains() -> None:
    for fraction in (0.2, 0.35, 0.5, 1.0):
        config = oracle(planted={**SIZE, "planted_fraction": fraction}, reference_rank=2)
        shapes = shapes_of(config)
        assert shapes is not None
        (start,) = parameters_along(config, preview(config), shapes)
        assert start.least <= opened(config).method.parameter_count() <= start.most
        assert not lints(config, matrices=6, smallest=16)
    assert start.least == start.even == start.most


def test_a_resumed_run_ends_where_an_unbroken_one_does_and_tells_its_ranks_once(tmp_path: Path) -> None:
    config = oracle(weight_decay=0.01)
    race, again = new_race(tmp_path, [config]), new_race(tmp_path, [config])
    assert set(run(race.folders).values()) == {"finished"}
    lock = Lockstep(again.folders, sessions)
    lock.report = lambda progress: lock.commands.put(Command("stop")) if progress.step == 17 else None
    assert set(lock.run().values()) == {"stopped"}
    assert set(Lockstep(again.folders, sessions, resume=True).run().values()) == {"finished"}
    whole, parts = (RunReader(folder).events() for folder in (race.folders[0], again.folders[0]))
    assert len(saved_in([row.event for row in parts])) == 1
    assert summary(RunReader(race.folders[0]))["metrics"] == summary(RunReader(again.folders[0]))["metrics"]
    assert encoded([row.event for row in whole]) == encoded([row.event for row in parts])


def test_a_branch_keeps_the_ranks_and_tells_them_once(tmp_path: Path) -> None:
    race = new_race(tmp_path, [oracle()])
    run(race.folders)
    (point,) = branch_points(race.folders[0])
    assert (point.events, point.total_rank) == (0, 18)
    assert recorded_totals(race.folders[0]) == [(0, 18)]
    branch = make_branch(tmp_path, plan_branch(tmp_path, race.run_ids[0], {"steps": 60}))
    assert set(Lockstep(branch.folders, sessions, resume=True).run().values()) == {"finished"}
    events = [row.event for row in RunReader(branch.folders[0]).events()]
    assert len(saved_in(events)) == 1 and isinstance(events[-1], Finished)
    assert len([event for event in events if isinstance(event, Step)]) == 60
    with pytest.raises(ConfigError, match=r"lora.where = 'even'.*a branch keeps 'planted'"):
        plan_branch(tmp_path, race.run_ids[0], {"lora.where": "even"})


@pytest.mark.parametrize("reference_rank", [1, 2, 3])
def test_every_export_computes_what_the_run_computed(reference_rank: int, tmp_path: Path) -> None:
    session = opened(oracle(reference_rank=reference_rank), tmp_path / "run")
    finish(session)
    session.model.eval()
    expected = outputs(session)
    assert session.folder is not None
    info = RunInfo(id="run", name="a run", folder=session.folder, config=session.config.as_dict())
    export_model(info, tmp_path / "out", MODEL_FORMS)
    inputs = session.task.batch(0)[0]
    for form in ("adapter", "lora"):
        config = json.loads((tmp_path / "out" / form / "adapter_config.json").read_text())
        assert config["peft_type"] == "LORA"
        assert len(config["target_modules"]) == int((session.method.ranks() > 0).sum())
        model = PeftModel.from_pretrained(session.task.build_model(), str(tmp_path / "out" / form)).eval()
        with torch.no_grad():
            torch.testing.assert_close(model(inputs), expected, rtol=1e-5, atol=1e-5)
    merged = session.task.build_model()
    merged.load_state_dict(load_file(tmp_path / "out" / "merged" / "model.safetensors"))
    with torch.no_grad():
        torch.testing.assert_close(merged(inputs), expected, rtol=1e-5, atol=1e-5)
    peft_model: Any = session.model
    save_as_lora(peft_model, tmp_path / "own")
    assert len(load_file(tmp_path / "own" / "adapter_model.safetensors")) == 6
    assert parse_config(load_toml(tmp_path / "out" / "config.toml")).model_dump()["lora"] == {"where": "planted"}


def test_recovery_is_whole_where_the_budget_is_what_is_planted(tmp_path: Path) -> None:
    # Two of six carry rank 3: a budget of one rank a matrix on average is just that.
    config = oracle(planted={**SIZE, "planted_fraction": 1 / 3}, reference_rank=1)
    race = new_race(tmp_path, [config])
    run(race.folders)
    told = summary(RunReader(race.folders[0]))["recovery"]
    assert (told["coverage"], told["precision"]) == (1.0, 1.0)
    assert told["chance"] == pytest.approx(1 / 3)


def test_whoever_reads_the_run_takes_its_ranks_as_the_start() -> None:
    events = list(train(oracle()))
    (saved,) = saved_in(events)
    record = record_of(stamped(events))
    assert record is not None
    assert record.ranks.tolist() == [saved.ranks.tolist()] and record.state_steps.tolist() == [-1]
    assert record.parameters.tolist() == [saved.trainable_parameters]
    assert findings(events) == []
    totals = [(row.event.step, numbers[TOTAL]) for row, numbers in scalars_of(stamped(events)) if TOTAL in numbers]
    assert totals == [(0, 18)]
    with pytest.raises(RunError, match="LoRA"):
        recording_of(stamped(events))


def test_what_is_wrong_with_such_a_run_is_still_said() -> None:
    session = opened(oracle())
    started = session.open()
    broken = [*started, *advance(session, 3), Step(3, math.nan, 0.005)]
    assert [finding.code for finding in findings(broken)] == ["diverged"]


def test_the_command_line_shows_compares_and_exports_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = ["--runs", str(tmp_path / "runs")]
    oracles, evens = (new_race(tmp_path / "runs", [config]) for config in (oracle(), tiny("lora", planted=TRUTH)))
    run(oracles.folders)
    run(evens.folders)
    assert cli.main(["show", oracles.run_ids[0], "--events", *runs]) == 0
    assert "ranks: total 18, on 3 of 6 matrices" in capsys.readouterr().out
    both = [*oracles.run_ids, *evens.run_ids]
    assert cli.main(["compare", *both, "--json", *runs]) == 0
    text = capsys.readouterr().out
    assert "where=planted" in text and "where=even" in text
    target = tmp_path / "out"
    exported = ["export", oracles.run_ids[0], str(target), "--what", "lora,figure,csv,replay", *runs]
    assert cli.main(exported) == 0
    assert (target / "lora" / "adapter_config.json").is_file()


def test_told_where_rank_is_needed_plain_lora_comes_far_closer_to_the_teacher() -> None:
    shared = {"method": "lora", "steps": 300, "seed": 4, "device": "cpu", "planted": {"blocks": 2}}
    ends = {}
    for where in ("even", "planted"):
        last = list(train(parse_config({**shared, "lora": {"where": where}})))[-1]
        assert isinstance(last, Finished)
        ends[where] = last.metrics["relative loss"]
    assert ends["planted"] < 0.1 * ends["even"]


def sessions(configs: list[RunConfig], folders: list[Path | None]) -> list[Session]:
    return [Session(config, folder=folder) for config, folder in zip(configs, folders, strict=True)]


def run(folders: list[Path]) -> dict[str, str]:
    return Lockstep(folders, sessions).run()
