import os
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from triadapt.config import RunConfig, load_toml, parse_config
from triadapt.events import Failed, Finished
from triadapt.runs import library
from triadapt.runs.info import RunError
from triadapt.runs.store import RunReader, RunStore

LORA = parse_config({"method": "lora", "steps": 40})
TRI = LORA.for_method("triadaptlora")


def finish(*folders: Path) -> None:
    for folder in folders:
        with RunStore.open(folder) as store:
            store.append(Finished(39, {}))


def test_the_runs_folder_is_the_named_one_then_the_environments_then_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRIADAPT_RUNS", str(tmp_path / "there"))
    assert library.runs_folder(str(tmp_path)) == tmp_path
    assert library.runs_folder() == tmp_path / "there"
    monkeypatch.delenv("TRIADAPT_RUNS")
    assert library.runs_folder() == Path("runs")
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match="is a file"):
        library.runs_folder(tmp_path / "file")


def test_a_race_is_a_folder_for_each_run_with_its_configuration(tmp_path: Path) -> None:
    race = library.new_race(tmp_path / "new", [TRI, LORA], name=" two\n of them ")
    assert library.is_race_id(race.id) and all(library.is_run_id(run_id) for run_id in race.run_ids)
    assert race.run_ids == [f"{race.id}-triadaptlora", f"{race.id}-lora"]
    assert [parse_config(load_toml(folder / "config.toml")) for folder in race.folders] == [TRI, LORA]
    assert [info.id for info in library.find(tmp_path / "new", race.id)] == race.run_ids
    assert {info.state for info in library.list_runs(tmp_path / "new")} == {"queued"}
    assert library.find(tmp_path / "new", race.run_ids[1])[0].name == "two of them"
    assert [library.config_of(info) for info in library.find(tmp_path / "new", race.id)] == [TRI, LORA]


def test_a_method_may_run_twice_in_a_race(tmp_path: Path) -> None:
    race = library.new_race(tmp_path, [LORA, parse_config({"method": "lora", "seed": 1})])
    assert race.run_ids == [f"{race.id}-lora-1", f"{race.id}-lora-2"]
    assert all(library.is_run_id(run_id) for run_id in race.run_ids)


def test_a_race_that_cannot_be_made_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: RunConfig) -> str:
        if self.method == "lora":
            raise OSError(28, "No space left on device")
        return "steps = 40"

    monkeypatch.setattr(type(LORA), "to_toml", full)
    with pytest.raises(OSError, match="No space left"):
        library.new_race(tmp_path, [TRI, LORA])
    assert os.listdir(tmp_path) == []


def test_a_race_that_cannot_be_moved_to_its_place_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moves: list[str] = []
    real = os.rename

    def second_fails(source: Path, target: Path) -> None:
        moves.append(str(target))
        if len(moves) == 2:
            raise OSError(5, "Input/output error")
        real(source, target)

    monkeypatch.setattr(os, "rename", second_fails)
    with pytest.raises(OSError, match="Input/output"):
        library.new_race(tmp_path, [TRI, LORA])
    assert os.listdir(tmp_path) == []


BAD_IDS = [
    "", ".", "..", "../x", "/etc/passwd", "a/b", "20260102-030405-abcd/..", "20260102-030405-abcd-lora/../..",
    "20260102-030405-abcd-lora\n", "20260102-030405-ABCD-lora", "２０２６０１０２-030405-abcd-lora",
    "20260102-030405-abcd-lora\0", "20260102-030405-abcd--lora", "20260102-030405-abcd-", "*", "20260102-030405-abc?",
    "20260102-030405-abcd-" + "l" * 300, "20260102-030405-abcd-löra", "..\\x",
]  # fmt: skip


@pytest.mark.parametrize("text", BAD_IDS)
def test_what_is_no_id_never_becomes_part_of_a_path(tmp_path: Path, text: str) -> None:
    for use in (
        library.find,
        library.delete,
        lambda f, t: library.rename(f, t, "x"),
        lambda f, t: library.set_note(f, t, "x"),
    ):
        with pytest.raises(RunError, match="is not the id of a run or race"):
            use(tmp_path, text)


def test_an_unknown_id_is_said_to_be_unknown(tmp_path: Path) -> None:
    for text in ("20260102-030405-abcd", "20260102-030405-abcd-lora"):
        with pytest.raises(RunError, match=f"no run or race '{text}'"):
            library.find(tmp_path, text)


def test_runs_are_listed_newest_first_with_races_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    races = []
    for second in (1, 3, 2):
        monkeypatch.setattr(time, "strftime", lambda *_, s=second: f"20260102-03040{s}")
        races.append(library.new_race(tmp_path, [TRI, LORA]))
    oldest, newest, middle = races
    assert [info.id for info in library.list_runs(tmp_path)] == newest.run_ids + middle.run_ids + oldest.run_ids


def test_what_is_no_run_is_left_out_and_what_is_damaged_is_shown(tmp_path: Path) -> None:
    race = library.new_race(tmp_path, [TRI, LORA])
    (tmp_path / "holiday pictures").mkdir()
    (tmp_path / "20260102-030405-abcd-lora").mkdir()
    (tmp_path / "20260102-030405-abcd-adalora").write_text("a file")
    (race.folders[1] / "run.db").write_text("scribbles")
    infos = library.list_runs(tmp_path)
    assert {info.id: info.state for info in infos} == dict(zip(race.run_ids, ["queued", "damaged"], strict=True))
    assert library.list_runs(tmp_path / "nowhere") == []


def test_a_hundred_runs_are_listed_newest_race_first(tmp_path: Path) -> None:
    races = [library.new_race(tmp_path, [LORA] * 4) for _ in range(25)]
    listed = [info.race for info in library.list_runs(tmp_path)]
    assert len(listed) == 100
    assert listed == sorted(listed, reverse=True) and set(listed) == {race.id for race in races}


def test_a_run_can_be_renamed_and_noted_while_it_is_written(tmp_path: Path) -> None:
    race = library.new_race(tmp_path, [TRI, LORA])
    with RunStore.open(race.folders[0]) as store:
        library.rename(tmp_path, race.id, "other")
        library.set_note(tmp_path, race.run_ids[0], "two\nlines")
        store.append(Failed(0, "oh"))
    first, second = library.find(tmp_path, race.id)
    assert (first.name, first.note, first.state) == ("other", "two\nlines", "failed")
    assert (second.name, second.note) == ("other", "")
    with pytest.raises(RunError, match="name is empty"):
        library.rename(tmp_path, race.id, " \n ")
    with pytest.raises(RunError, match="limit is 4000"):
        library.set_note(tmp_path, race.id, "x" * 4001)


def test_delete_takes_runs_that_ended_and_no_other(tmp_path: Path) -> None:
    race, other = library.new_race(tmp_path, [TRI, LORA]), library.new_race(tmp_path, [LORA])
    finish(race.folders[0])
    with pytest.raises(RunError, match="is queued; stop it"):
        library.delete(tmp_path, race.id)
    assert len(library.list_runs(tmp_path)) == 3
    finish(race.folders[1])
    assert library.delete(tmp_path, race.id) == race.run_ids
    assert os.listdir(tmp_path) == other.run_ids


def test_delete_takes_a_damaged_run_but_follows_no_link(tmp_path: Path) -> None:
    race, kept = library.new_race(tmp_path / "runs", [LORA]), library.new_race(tmp_path / "elsewhere", [LORA])
    (race.folders[0] / "run.db").write_text("scribbles")
    library.delete(tmp_path / "runs", race.id)
    finish(*kept.folders)
    link = tmp_path / "runs" / kept.run_ids[0]
    link.symlink_to(kept.folders[0], target_is_directory=True)
    with pytest.raises(RunError, match="is a link"):
        library.delete(tmp_path / "runs", kept.id)
    assert kept.folders[0].is_dir()


def test_a_configuration_that_is_not_valid_any_more_is_damage(tmp_path: Path) -> None:
    race = library.new_race(tmp_path, [LORA])
    with closing(sqlite3.connect(race.folders[0] / "run.db")) as file, file:
        file.execute("update meta set value = json_set(value, '$.steps', -1) where key = 'config'")
    with pytest.raises(RunError, match="not valid any more"):
        library.config_of(RunReader(race.folders[0]).info())
