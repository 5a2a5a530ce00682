"""Parents and branches, as far as they are in the folder of runs, and what the pages say of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from triadapt.config import parse_config
from triadapt.runs.info import BranchedFrom, RunInfo
from triadapt.runs.library import make_runs, new_race, rename
from triadapt.runs.lineage import ancestors, branches_of, parent_of
from triadapt.runs.reader import RunReader
from triadapt.runs.store import RunStore
from triadapt.ui.titles import branch_line, given_name, plain, race_state, race_title, run_title

CONFIG = parse_config({"method": "triadaptlora", "steps": 40})


def branch(folder: Path, parent: str, step: int, name: str = "") -> RunInfo:
    origin = BranchedFrom(parent, step, {"interval": (20, 10)})
    title = name or f"TriAdaptLoRA from step {step}: interval 20 -> 10"

    def make(place: Path, run_id: str, race: str, position: int) -> None:
        lineage = {"branched_from": origin.as_dict()}
        RunStore.create(place, CONFIG, run_id=run_id, race=race, name=title, lineage=lineage).close()

    return RunReader(make_runs(folder, ["triadaptlora"], make).folders[0]).info()


@pytest.fixture
def root(tmp_path: Path) -> RunInfo:
    return RunReader(new_race(tmp_path, [CONFIG]).folders[0]).info()


def test_a_branch_of_a_branch_knows_its_line_and_a_run_its_branches(tmp_path: Path, root: RunInfo) -> None:
    first = branch(tmp_path, root.id, 10)
    second, third = branch(tmp_path, first.id, 20), branch(tmp_path, first.id, 30)
    assert [info.id for info in ancestors(tmp_path, second)] == [first.id, root.id]
    assert parent_of(tmp_path, root) is None and ancestors(tmp_path, root) == []
    everyone = [third, second, first, root]
    assert [info.id for info in branches_of(everyone, [first.id])] == [third.id, second.id]
    assert branches_of(everyone, [third.id]) == []


@pytest.mark.parametrize("gone", ["20260101-000000-abcd-lora", "../../secret", "healthy-race"])
def test_a_parent_that_is_not_here_is_none_and_is_told_by_its_id(tmp_path: Path, gone: str) -> None:
    info = RunInfo(id="x", lineage={"branched_from": {"run": gone, "step": 5, "changes": {}}})
    assert parent_of(tmp_path, info) is None
    if info.branched_from is not None:
        assert branch_line(info.branched_from, None) == f"{plain(gone)} at step 5: nothing changed"


def test_a_line_that_bites_its_tail_ends(tmp_path: Path, root: RunInfo) -> None:
    child = branch(tmp_path, root.id, 10)
    looped: dict[str, Any] = {"branched_from": {"run": child.id, "step": 1, "changes": {}}}
    with RunStore.open(tmp_path / root.id) as store:
        store._meta["lineage"] = looped
        store.flush()
    assert [info.id for info in ancestors(tmp_path, child)] == [root.id]


def test_a_name_that_somebody_gave_is_what_a_run_is_called_by(tmp_path: Path, root: RunInfo) -> None:
    child = branch(tmp_path, root.id, 10)
    assert given_name(root) == given_name(child) == ""
    assert run_title(root).startswith("TriAdaptLoRA of ") and str(root.created) not in run_title(root)
    rename(tmp_path, root.race, "first *try*")
    named = RunReader(tmp_path / root.id).info()
    assert run_title(named) == "TriAdaptLoRA of first *try*"
    origin = child.branched_from
    assert origin is not None
    assert branch_line(origin, named) == r"TriAdaptLoRA of first \*try\* at step 10: Interval 20 -> 10"
    assert given_name(branch(tmp_path, root.id, 12, name="mine")) == "mine"


def test_the_title_of_a_race_says_when_what_and_how_it_stands(tmp_path: Path, root: RunInfo) -> None:
    assert race_title([root]).endswith(" · TriAdaptLoRA on Planted ranks · queued")
    rename(tmp_path, root.race, "mine")
    assert race_title([RunReader(tmp_path / root.id).info()]).endswith(" · mine · Planted ranks · queued")
    states = [RunInfo(id=state, state=state) for state in ("finished", "failed", "finished")]
    assert race_state(states) == "2 finished, 1 failed"


def test_a_damaged_run_does_not_keep_its_race_from_a_name(tmp_path: Path) -> None:
    race = new_race(tmp_path, [CONFIG, parse_config({"method": "lora", "steps": 40})])
    (race.folders[1] / "run.db").write_bytes(b"no database" * 500)
    rename(tmp_path, race.id, "both")
    assert RunReader(race.folders[0]).info().name == "both"
