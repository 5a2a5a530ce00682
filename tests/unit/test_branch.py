"""Branches: a new run from a checkpoint of another."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tiny_runs import tiny

from triadapt import cli
from triadapt.config import ConfigError, RunConfig
from triadapt.events import Checkpointed, Event, Finished, RankEvent, Started, Step, Warned, encode
from triadapt.growth.preview import preview, target_total_rank
from triadapt.methods.registry import METHODS
from triadapt.runs import branch as branches
from triadapt.runs.branch import branch_points, make_branch, may_change, plan_branch
from triadapt.runs.bundle import import_bundle, write_bundle
from triadapt.runs.info import BranchedFrom, RunError
from triadapt.runs.library import list_runs, new_race
from triadapt.runs.reader import RunReader
from triadapt.training.session import Session
from triadapt.workers.lockstep import Lockstep

HERE = Path(__file__).parent
PARENTS = {
    "triadaptlora": tiny("triadaptlora"),
    "increlora": tiny("increlora"),
    "adalora": tiny("adalora", interval=2),
    "lora": tiny("lora"),
    "surm": tiny("surm"),
    "tiedlora": tiny("tiedlora"),
    "vera": tiny("vera"),
    "loha": tiny("loha"),
    "adamss": tiny("adamss"),
    "qlora": tiny("qlora"),
}
MATRICES = 6


def sessions(configs: list[RunConfig], folders: list[Path | None]) -> list[Session]:
    return [Session(config, folder=folder) for config, folder in zip(configs, folders, strict=True)]


def trained(folder: Path, config: RunConfig) -> str:
    race = new_race(folder, [config])
    assert set(Lockstep(race.folders, sessions).run().values()) == {"finished"}
    return race.run_ids[0]


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A folder of runs for each method, with one finished run in it."""
    folders = {}
    for method, config in PARENTS.items():
        folders[method] = tmp_path_factory.mktemp(method)
        trained(folders[method], config)
    return folders


@pytest.fixture
def parent(stored: dict[str, Path], tmp_path: Path) -> Callable[[str], tuple[Path, str]]:
    """A fresh copy of a method's folder of runs, and the id of the run in it. One of a fixed size has a checkpoint at
    its end alone, so it gets one half-way."""

    def parent(method: str) -> tuple[Path, str]:
        folder = tmp_path / method
        shutil.copytree(stored[method], folder)
        if METHODS[method].allocation == "fixed":
            _stop_half_way(folder, PARENTS[method])
        return folder, list_runs(folder)[0].id

    return parent


def _stop_half_way(folder: Path, config: RunConfig) -> None:
    """Let the finished run have the checkpoint that a stop at step 19 would have written."""
    place = folder / list_runs(folder)[0].id
    session = Session(config, folder=place)
    session.open()
    for _ in range(20):
        session.advance()
    made = session.checkpoint()
    events = [stamped.event for stamped in RunReader(place).events()]
    at = next(i for i, event in enumerate(events) if isinstance(event, Step) and event.step == 20)
    _rewritten(place, [*events[:at], made, *events[at:]])


def _rewritten(place: Path, events: list[Event]) -> None:
    from triadapt.runs.store import RunStore  # noqa: PLC0415

    with RunStore.open(place) as store:
        store.rewind(0)
        for event in events:
            store.append(event)


def run(folder: Path, run_id: str, values: dict[str, Any], at: int | None = None) -> str:
    race = make_branch(folder, plan_branch(folder, run_id, values, at))
    states = Lockstep(race.folders, sessions, resume=True).run()
    assert set(states.values()) == {"finished"}, [e for e in events_of(folder, race.run_ids[0]) if e.kind == "failed"]
    return race.run_ids[0]


def events_of(folder: Path, run_id: str) -> list[Event]:
    return [stamped.event for stamped in RunReader(folder / run_id).events()]


def encoded(events: list[Event]) -> list[tuple[Any, ...]]:
    return [(event.kind, event.step, *encode(event)) for event in events if not isinstance(event, Checkpointed)]


def middle(folder: Path, run_id: str) -> int:
    points = branch_points(folder / run_id)
    return points[(len(points) - 1) // 2].step


@pytest.mark.parametrize("method", METHODS)
def test_a_branch_without_changes_repeats_its_parent_to_the_bit(method: str, parent: Any) -> None:
    folder, run_id = parent(method)
    before = {path: path.read_bytes() for path in (folder / run_id).rglob("*") if path.is_file()}
    step = middle(folder, run_id)
    assert 0 < step < 39
    child = run(folder, run_id, {}, step)
    assert encoded(events_of(folder, child)) == encoded(events_of(folder, run_id))
    assert {path: path.read_bytes() for path in (folder / run_id).rglob("*") if path.is_file()} == before
    info = RunReader(folder / child).info()
    assert info.branched_from == BranchedFrom(run_id, step, {})
    assert info.origin == f"branched from {run_id} at step {step}: nothing changed"


CHANGES = {
    "warm-up, interval and growth": ("triadaptlora", {"warmup": 20, "interval": 4, "growth": "linear"}),
    "a larger budget": ("triadaptlora", {"reference_rank": 4, "interval": 1}),
    "a larger budget and top h": ("increlora", {"reference_rank": 4, "interval": 2, "top_h": 3}),
    "pruning more seldom": ("adalora", {"interval": 5}),
    "pruning further": ("adalora", {"reference_rank": 2}),
    "more steps": ("triadaptlora", {"steps": 50, "learning_rate": 1e-3, "lr_schedule": "constant"}),
    "what freezes": ("adamss", {"learning_rate": 1e-3, "weight_decay": 0.1, "adamss.importance_beta": 0.5}),
    "plain": ("lora", {"steps": 30, "learning_rate": 1e-3}),
}


@pytest.mark.parametrize(("method", "values"), CHANGES.values(), ids=CHANGES.keys())
def test_a_branch_obeys_its_own_schedule_from_the_branch_on(method: str, values: dict[str, Any], parent: Any) -> None:
    folder, run_id = parent(method)
    step = middle(folder, run_id)
    point = plan_branch(folder, run_id, values, step).point
    child = run(folder, run_id, values, step)
    told, kept = events_of(folder, child), events_of(folder, run_id)
    config = RunConfig.model_validate(RunReader(folder / child).info().config)
    rows = preview(config, MATRICES, point.total_rank, step).rows
    fired = [event for event in told if isinstance(event, RankEvent)]
    assert [event.step for event in fired if event.step > step] == [row["step"] for row in rows]
    assert [event.total_rank for event in fired if event.step > step] == [row["total_rank"] for row in rows]
    started = [event for event in told if isinstance(event, Started)]
    assert len(started) == 1 and told[0].kind == "started"
    assert started[0].config == config.as_dict() and started[0].total_step == config.steps
    assert [planned for planned in started[0].planned if planned > step] == [row["step"] for row in rows]
    # What came before the branch is the parent's own.
    early = [event for event in told[1:] if event.step <= step and isinstance(event, Step | RankEvent)]
    assert encoded(early) == encoded([e for e in kept if e.step <= step and isinstance(e, Step | RankEvent)])
    assert isinstance(told[-1], Finished) and told[-1].step == config.steps - 1
    # The function is that of the parent at the branch: the first loss after it is the same (another budget moves it by
    # rounding alone).
    first = [next(e for e in events if isinstance(e, Step) and e.step == step + 1) for events in (told, kept)]
    assert first[0].loss == pytest.approx(first[1].loss, rel=1e-5)


def test_a_budget_brings_its_scale_along_and_says_so(parent: Any) -> None:
    folder, run_id = parent("triadaptlora")
    plan = plan_branch(folder, run_id, {"reference_rank": 6}, 12)
    assert plan.changes == {"reference_rank": (3, 6), "alpha": (8.0, 16.0)}
    pruned = plan_branch(*parent("adalora"), {"reference_rank": 2}, 10)
    assert pruned.changes["adalora.init_rank_ratio"] == (1.5, 2.0)


@pytest.mark.parametrize(("method", "target"), [("vera", 0), ("adamss", 18), ("lora", 18)])
def test_a_branch_aims_at_what_its_parent_does(method: str, target: int, parent: Any) -> None:
    folder, run_id = parent(method)
    child = run(folder, run_id, {"learning_rate": 1e-3}, middle(folder, run_id))
    starts = [e for where in (run_id, child) for e in events_of(folder, where) if isinstance(e, Started)]
    assert [start.target_total_rank for start in starts] == [target, target]


def test_the_newest_checkpoint_at_or_before_the_step_is_taken(parent: Any) -> None:
    folder, run_id = parent("triadaptlora")
    steps = [point.step for point in branch_points(folder / run_id)]
    assert plan_branch(folder, run_id, {}, steps[1] + 1).point.step == steps[1]
    assert plan_branch(folder, run_id, {"steps": 60}).point.step == steps[-1] == 39
    label = plan_branch(folder, run_id, {}, steps[1]).point.label()
    assert label.startswith(f"step {steps[1]}, event 2, total rank ")


REFUSED = {
    "method": ("triadaptlora", {"method": "lora"}, 20, "method = 'lora': a branch keeps 'triadaptlora'"),
    "task": ("triadaptlora", {"task": "text"}, 20, "task = 'text': a branch keeps 'planted'"),
    "seed": ("triadaptlora", {"seed": 8}, 20, "seed = 8: a branch keeps 7"),
    "alpha": ("triadaptlora", {"alpha": 4.0}, 20, "alpha = 4.0: a branch keeps 8.0"),
    "ranks a growth": ("increlora", {"add_r": 2}, 20, "add_r = 2: a branch keeps 1"),
    "task settings": ("lora", {"planted.blocks": 2}, None, "planted.blocks = 2: a branch keeps 1"),
    "another method's": ("lora", {"adalora.beta1": 0.5}, 20, "adalora.beta1 = 0.5: a LoRA run on planted has no such"),
    "size of LoRA": ("lora", {"reference_rank": 4}, 20, "reference_rank = 4: a branch keeps 3"),
    "no schedule": ("lora", {"interval": 4}, 20, "interval = 4: LoRA does not use it; leave it out"),
    "no growth": ("adalora", {"growth": "linear"}, 20, "growth = 'linear': AdaLoRA does not use it"),
    "unknown": ("triadaptlora", {"intervall": 4}, 20, "intervall: unknown field; did you mean interval?"),
    "no section": ("triadaptlora", {"steps.x": 4}, 20, "steps = 40: is a value, not a section with steps.x"),
    "no number": ("triadaptlora", {"interval": "x"}, 20, "interval = 'x': input should be a valid integer"),
    "steps behind": ("triadaptlora", {"steps": 10}, 20, "steps = 10: "),
    "at the end": ("triadaptlora", {}, None, "steps = 40: 40 are done at the checkpoint of step 39; raise steps"),
    "too early": ("triadaptlora", {}, 1, "at = 1: "),
    "budget held": (
        "triadaptlora",
        {"reference_rank": 1},
        20,
        "reference_rank = 1: a budget of 6, below the total rank",
    ),
    "above a matrix": ("triadaptlora", {"reference_rank": 16, "planted.x": 1}, 20, "planted.x: unknown field"),
    "pruned away": ("adalora", {"warmup": 20}, 12, "warmup = 20: the budget at the next event, step 22, would be"),
    "final before": (
        "adalora",
        {"adalora.final_share": 0.8},
        12,
        "adalora.final_share = 0.8: the budget would be final",
    ),
    "wider than it began": ("adalora", {"reference_rank": 5}, 12, "reference_rank = 5: AdaLoRA prunes from rank 4"),
    "freezing length": ("adamss", {"steps": 60}, 12, "steps = 60: AdaMSS cannot follow another schedule "),
    "freezing begin": (
        "adamss",
        {"warmup": 10},
        12,
        "warmup = 10: AdaMSS cannot follow another schedule from half-way",
    ),
    "freezing budget": ("adamss", {"reference_rank": 2}, 12, "reference_rank = 2: AdaMSS cannot follow another"),
    "freezing end": ("adamss", {"adamss.final_share": 0.7}, 12, "adamss.final_share = 0.7: AdaMSS cannot follow"),
    "freezing decay": ("adamss", {"adamss.schedule_exponent": 1.0}, 12, "adamss.schedule_exponent = 1.0: AdaMSS can"),
    "no growth by freezing": ("adamss", {"top_h": 3}, 12, "top_h = 3: AdaMSS does not use it; leave it out"),
    "at the frozen end": ("adamss", {}, None, "steps = 40: 40 are done at the checkpoint of step 39; branch at an "),
    "wider again": ("adalora", {"reference_rank": 4}, 20, "reference_rank = 4: "),
}


@pytest.mark.parametrize(("method", "values", "at", "line"), REFUSED.values(), ids=REFUSED.keys())
def test_what_does_not_fit_the_checkpoint_gets_one_line(
    method: str, values: dict[str, Any], at: int | None, line: str, parent: Any
) -> None:
    folder, run_id = parent(method)
    with pytest.raises((ConfigError, RunError)) as caught:
        plan_branch(folder, run_id, values, at)
    assert str(caught.value).startswith(line) and "\n" not in str(caught.value)
    assert len(list_runs(folder)) == 1


def test_a_schedule_without_events_to_come_is_warned_of_and_the_parents_warnings_are_its_own(parent: Any) -> None:
    folder, run_id = parent("triadaptlora")
    plan = plan_branch(folder, run_id, {"interval": 39}, 6)
    assert "interval = 39: " in plan.warnings[0] or "not reached" in plan.warnings[0]
    full = plan_branch(folder, run_id, {"interval": 5}, 36)
    assert full.planned == [] and "is reached at step" in full.warnings[0]
    child = run(folder, run_id, {"interval": 30}, 6)
    warned = [event for event in events_of(folder, child) if isinstance(event, Warned)]
    assert warned and warned[0].step == 6 and "not reached" in warned[0].message


def test_a_branch_can_be_stopped_resumed_branched_bundled_and_read_without_its_parent(parent: Any) -> None:
    folder, run_id = parent("triadaptlora")
    child = run(folder, run_id, {"interval": 4}, 12)
    again = run(folder, child, {"learning_rate": 1e-3}, 20)
    shutil.rmtree(folder / run_id)
    info = RunReader(folder / again).info()
    assert info.branched_from is not None and info.branched_from.run == child and not info.resumable
    assert RunReader(folder / child).events()[0].event.kind == "started"
    write_bundle(folder / "a.jsonl.gz", [RunReader(folder / child)])
    imported = RunReader(folder / import_bundle(folder, folder / "a.jsonl.gz")[0]).info()
    assert imported.branched_from == BranchedFrom(run_id, 12, {"interval": (3, 4)}) and not imported.resumable
    assert imported.origin.endswith(f"branched from {run_id} at step 12: interval 3 -> 4")


def test_a_branch_that_lost_its_checkpoint_fails_and_does_not_start_over(parent: Any) -> None:
    folder, run_id = parent("triadaptlora")
    race = make_branch(folder, plan_branch(folder, run_id, {"interval": 5}, 12))
    place = race.folders[0]
    next((place / "checkpoints").iterdir()).write_bytes(b"junk")
    assert Lockstep([place], sessions, resume=True).run() == {race.run_ids[0]: "failed"}
    info = RunReader(place).info()
    assert "step-0000012.safetensors cannot be used" in info.error and info.last_step == 12 and info.resumable


@pytest.mark.parametrize("where", ["copyfile", "RunStore"])
def test_a_branch_cut_short_leaves_no_run(where: str, parent: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, run_id = parent("triadaptlora")
    plan = plan_branch(folder, run_id, {"interval": 5}, 12)
    seen: list[int] = []

    def torn(*_: Any, **__: Any) -> None:
        # What a kill at this moment would leave: nothing that is listed.
        seen.append(len(list_runs(folder)))
        raise OSError("no space left")

    target, name = (branches.shutil, "copyfile") if where == "copyfile" else (branches.RunStore, "create")
    monkeypatch.setattr(target, name, torn)
    with pytest.raises(OSError, match="no space left"):
        make_branch(folder, plan)
    assert seen == [1] and [path.name for path in folder.iterdir()] == [run_id]


@pytest.mark.parametrize("values", [
    None, [], {"run": "a"}, {"run": "<b>", "step": 1, "changes": {}}, {"run": "a", "step": True, "changes": {}},
    {"run": "a", "step": 1, "changes": {"interval": [1]}}, {"run": "a", "step": 1, "changes": {"x": ["[l](u)", 1]}},
])  # fmt: skip
def test_a_lineage_from_outside_is_not_believed(values: Any) -> None:
    assert BranchedFrom.of(values) is None


def test_every_method_names_what_may_change() -> None:
    for method, config in PARENTS.items():
        assert {"steps", "learning_rate"} - {"steps" if method == "adamss" else ""} <= set(may_change(config))
        assert not {"method", "task", "seed", "alpha", "add_r"} & set(may_change(config))
    assert "steps" not in may_change(PARENTS["adamss"]) and "adamss.lr_scale" in may_change(PARENTS["adamss"])
    assert "steps" in may_change(tiny("adamss", adamss={"adaptive": False}))
    assert "interval" not in may_change(PARENTS["lora"]) and "growth" not in may_change(PARENTS["increlora"])


def test_the_command_branches_says_from_where_and_lists_it(parent: Any, capsys: pytest.CaptureFixture[str]) -> None:
    folder, run_id = parent("triadaptlora")
    shared = ["--runs", str(folder)]
    code = cli.main(
        ["branch", run_id, "--at", "14", "--set", "interval=5", "--set", "triadaptlora.init=zero_core", *shared]
    )
    out = capsys.readouterr().out
    assert code == 0, out
    assert out.startswith(f"branching from {run_id} at step 12, event 3, total rank ")
    assert "interval 3 -> 5, triadaptlora.init identity -> zero_core" in out and "finished" in out
    child = list_runs(folder)[0].id
    assert cli.main(["show", child, *shared]) == 0
    assert f"from:       branched from {run_id} at step 12: interval 3 -> 5" in capsys.readouterr().out
    assert cli.main(["runs", *shared]) == 0
    assert f"{run_id} at 12" in capsys.readouterr().out
    wrong_ones = {
        "--at=x": "--at 'x': expected a step",
        "--set=interval": "expected key=value",
        "--set=seed=1": "seed = 1: ",
    }
    for wrong, line in wrong_ones.items():
        assert cli.main(["branch", run_id, wrong, *shared]) == 2
        assert line in capsys.readouterr().err
    assert len(list_runs(folder)) == 2


@pytest.mark.parametrize("method", ["lora", "surm", "tiedlora", "adamss"])
def test_a_branch_aims_at_the_total_rank_that_a_run_of_its_own_would(tmp_path: Path, method: str) -> None:
    given = {"tiedlora": {"rank": 8}, "adamss": {"adaptive": False}}
    more = {method: given[method]} if method in given else {}
    run = trained(tmp_path, tiny(method, **more))
    race = make_branch(tmp_path, plan_branch(tmp_path, run, {"learning_rate": 1e-3, "steps": 50}))
    (parent,), (child,) = (
        [s.event for s in RunReader(tmp_path / name).events() if isinstance(s.event, Started)]
        for name in (run, race.run_ids[0])
    )
    expected = {"lora": 3 * MATRICES, "surm": 0, "tiedlora": 8 * MATRICES, "adamss": 5 * MATRICES}[method]
    assert parent.target_total_rank == child.target_total_rank == expected
    assert expected == target_total_rank(tiny(method, **more), MATRICES) == preview(tiny(method, **more)).target


def test_a_budget_above_the_size_of_a_matrix_is_refused_only_where_it_is_a_rank(tmp_path: Path) -> None:
    """Without a rank of its own it is a number in a scale, or a size of something else; width 16 here."""
    with pytest.raises(ConfigError, match="reference_rank = 20: must not be above"):
        tiny("lora", reference_rank=20)
    run = trained(tmp_path, tiny("surm", reference_rank=20))
    assert plan_branch(tmp_path, run, {"steps": 50}).config.reference_rank == 20
