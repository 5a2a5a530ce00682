import queue
import sqlite3
from contextlib import closing
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from fake_sessions import TROUBLE, FakeSession, cannot_start, open_sessions

from triadapt.config import RunConfig, parse_config
from triadapt.events import MEASURED, Checkpointed, Event, Failed, RankEvent, Started, Step, Stopped, Warned, encode
from triadapt.runs.library import Race, new_race
from triadapt.runs.store import RunReader
from triadapt.workers.lockstep import Command, Lockstep, Progress


def configs(methods: str = "triadaptlora,lora", **values: object) -> list[RunConfig]:
    shared = {"steps": 30, "interval": 10, "warmup": 0} | values
    return [parse_config({**shared, "method": method}) for method in methods.split(",")]


def plain(folder: Path) -> list[tuple[str, int, str, bytes]]:
    return [
        (s.event.kind, s.event.step, *encode(s.event))
        for s in RunReader(folder).events()
        if not isinstance(s.event, Checkpointed)
    ]


def lockstep(race: Race, **values: object) -> Lockstep:
    return Lockstep(race.folders, values.pop("open_sessions", open_sessions), **values)  # type: ignore[arg-type]


class Script:
    """Sends commands when a step was reported."""

    def __init__(self, commands: dict[int, list[Command]]) -> None:
        self.queue: queue.SimpleQueue[Command] = queue.SimpleQueue()
        self.commands = commands
        self.seen: list[Progress] = []

    def report(self, progress: Progress) -> None:
        self.seen.append(progress)
        for command in self.commands.pop(progress.step, []) if not progress.message else []:
            self.queue.put(command)


def test_runs_of_a_race_make_every_step_together_and_finish(tmp_path: Path) -> None:
    race = new_race(tmp_path, configs())
    order: list[tuple[int, int]] = []
    seen = lockstep(race, on_event=lambda i, e: order.append((i, e.step)) if isinstance(e, Step) else None).run()
    assert seen == {run_id: "finished" for run_id in race.run_ids}
    assert order == [(run, step) for step in range(30) for run in (0, 1)]
    info = RunReader(race.folders[0]).info()
    assert (info.state, info.last_step, info.total_rank, info.metric_value) == ("finished", 29, 6, 0.5)


def test_an_error_in_one_run_fails_that_run_only(tmp_path: Path) -> None:
    bad, good = configs(weight_decay=TROUBLE["raises at step 5"])[0], configs()[1]
    race = new_race(tmp_path, [bad, good])
    assert list(lockstep(race).run().values()) == ["failed", "finished"]
    failed = RunReader(race.folders[0]).events()[-1].event
    assert isinstance(failed, Failed) and failed.error == "ValueError: loss is not a number"
    assert failed.step == 4 and "fake_sessions.py" in failed.traceback
    assert RunReader(race.folders[0]).info().error == failed.error


def test_a_run_that_cannot_be_opened_does_not_hold_the_others_back(tmp_path: Path) -> None:
    bad, good = configs(weight_decay=TROUBLE["raises when opened"])[0], configs()[1]
    assert list(lockstep(new_race(tmp_path, [bad, good])).run().values()) == ["failed", "finished"]


def test_a_task_that_cannot_be_made_fails_every_run_with_its_reason(tmp_path: Path) -> None:
    race = new_race(tmp_path, configs())
    assert list(lockstep(race, open_sessions=cannot_start).run().values()) == ["failed", "failed"]
    assert RunReader(race.folders[1]).info().error == "RuntimeError: no memory for the task"


def test_stop_checkpoints_and_a_resume_gives_the_events_of_an_uninterrupted_run(tmp_path: Path) -> None:
    whole, cut = new_race(tmp_path, configs()), new_race(tmp_path, configs())
    lockstep(whole).run()
    script = Script({13: [Command("stop", "enough")]})
    assert set(lockstep(cut, commands=script.queue, report=script.report).run().values()) == {"stopped"}
    info = RunReader(cut.folders[0]).info()
    assert info.resumable and info.last_step == 12 and info.generation == 0
    assert [s.event for s in RunReader(cut.folders[0]).events()][-2:] == [
        Checkpointed(12, "step-000012.json"), Stopped(12, "enough"),
    ]  # fmt: skip
    assert set(lockstep(cut, resume=True).run().values()) == {"finished"}
    assert [plain(folder) for folder in cut.folders] == [plain(folder) for folder in whole.folders]
    events = RunReader(cut.folders[0]).events()
    assert RunReader(cut.folders[0]).info().generation == 1
    assert all(a.seq < b.seq and a.time <= b.time for a, b in pairwise(events))


def test_a_checkpoint_whose_event_was_never_written_is_not_resumed_from(tmp_path: Path) -> None:
    whole, cut = new_race(tmp_path, configs("lora")), new_race(tmp_path, configs("lora"))
    lockstep(whole).run()
    script = Script({13: [Command("stop")]})
    lockstep(cut, commands=script.queue, report=script.report).run()
    orphan = cut.folders[0] / "checkpoints" / "step-000020.json"
    orphan.write_text("9 9 9 9")
    lockstep(cut, resume=True).run()
    assert plain(cut.folders[0]) == plain(whole.folders[0])


def test_an_unreadable_checkpoint_is_passed_over_with_a_warning(tmp_path: Path) -> None:
    race = new_race(tmp_path, configs("lora"))
    script = Script({13: [Command("stop")]})
    lockstep(race, commands=script.queue, report=script.report).run()
    (race.folders[0] / "checkpoints" / "step-000012.json").write_text("not ranks")
    lockstep(race, resume=True).run()
    events = [s.event for s in RunReader(race.folders[0]).events()]
    assert [e.step for e in events if isinstance(e, Step)] == list(range(30))
    assert [e.code for e in events if isinstance(e, Warned)] == ["checkpoint"]


def test_a_resume_without_any_checkpoint_starts_again(tmp_path: Path) -> None:
    race = new_race(tmp_path, configs("lora", interval=1000))
    script = Script({3: [Command("stop")]})
    lockstep(race, commands=script.queue, report=script.report).run()
    next((race.folders[0] / "checkpoints").iterdir()).unlink()
    lockstep(race, resume=True).run()
    events = [s.event for s in RunReader(race.folders[0]).events()]
    assert isinstance(events[0], Started) and [e.step for e in events if isinstance(e, Step)] == list(range(30))


def test_runs_that_stand_at_different_steps_are_brought_level_before_going_on(tmp_path: Path) -> None:
    race = new_race(tmp_path, configs())
    script = Script({13: [Command("stop")]})
    lockstep(race, commands=script.queue, report=script.report).run()
    newest = max((race.folders[0] / "checkpoints").iterdir())
    newest.unlink()
    order: list[tuple[int, int]] = []
    lockstep(race, resume=True, on_event=lambda i, e: order.append((i, e.step)) if isinstance(e, Step) else None).run()
    assert order[:4] == [(0, 11), (0, 12), (0, 13), (1, 13)]


def test_pause_holds_step_makes_one_step_and_stop_ends_a_paused_race(tmp_path: Path) -> None:
    race = new_race(tmp_path, configs("lora"))
    commands: queue.SimpleQueue[Command] = queue.SimpleQueue()
    held: list[int] = []
    states: list[str] = []

    def report(progress: Progress) -> None:
        if progress.paused:
            held.append(progress.step)
            states.append(RunReader(race.folders[0]).info().state)
            commands.put(Command("step") if len(held) < 3 else Command("stop"))
        elif progress.step == 4:
            commands.put(Command("pause"))

    assert list(lockstep(race, commands=commands, report=report).run().values()) == ["stopped"]
    assert held == [4, 5, 6] and states == ["paused"] * 3


def test_step_event_goes_on_until_a_rank_event_and_holds_there(tmp_path: Path) -> None:
    race = new_race(tmp_path, configs("lora"))
    commands: queue.SimpleQueue[Command] = queue.SimpleQueue()
    commands.put(Command("step_event"))
    held: list[int] = []
    last: list[Event] = []

    def report(progress: Progress) -> None:
        if progress.paused:
            held.append(progress.step)
            commands.put(Command("step_event") if len(held) < 2 else Command("unpause"))

    lockstep(
        race, commands=commands, report=report, on_event=lambda i, e: last.append(e) if type(e) is RankEvent else None
    ).run()
    assert held == [11, 21] and [event.step for event in last] == [10, 20]


def test_step_event_passes_over_what_is_only_measured(tmp_path: Path) -> None:
    class Measuring(FakeSession):
        def advance(self) -> list[Event]:
            return [
                replace(event, rule=MEASURED) if isinstance(event, RankEvent) and event.step == 10 else event
                for event in super().advance()
            ]

    def measuring(configs: list[RunConfig], folders: list[Path | None]) -> list[FakeSession]:
        return [Measuring(config, folder) for config, folder in zip(configs, folders, strict=True)]

    commands: queue.SimpleQueue[Command] = queue.SimpleQueue()
    commands.put(Command("step_event"))
    held: list[int] = []

    def report(progress: Progress) -> None:
        if progress.paused:
            held.append(progress.step)
            commands.put(Command("unpause"))

    lockstep(new_race(tmp_path, configs("surm")), open_sessions=measuring, commands=commands, report=report).run()
    assert held == [21]


@pytest.mark.parametrize("commands", [["stop"], ["pause", "stop"]])
def test_a_stop_that_comes_before_the_first_step_ends_the_run_unopened(tmp_path: Path, commands: list[str]) -> None:
    race = new_race(tmp_path, configs("lora"))
    waiting: queue.SimpleQueue[Command] = queue.SimpleQueue()
    for action in commands:
        waiting.put(Command(action))  # type: ignore[arg-type]
    assert list(lockstep(race, commands=waiting).run().values()) == ["stopped"]
    assert [s.event.kind for s in RunReader(race.folders[0]).events()] == ["stopped"]


def test_ctrl_c_in_the_middle_of_a_step_leaves_a_stopped_run(tmp_path: Path) -> None:
    race = new_race(tmp_path, configs("lora"))

    def interrupt(index: int, event: Event) -> None:
        if isinstance(event, Step) and event.step == 7:
            raise KeyboardInterrupt

    assert list(lockstep(race, on_event=interrupt).run().values()) == ["stopped"]
    assert RunReader(race.folders[0]).info().state == "stopped"


def test_a_run_that_cannot_be_written_fails_and_the_others_go_on(tmp_path: Path) -> None:
    race = new_race(tmp_path, configs())
    with closing(sqlite3.connect(race.folders[0] / "run.db")) as file:
        full = "create trigger full before insert on events when new.step > 5 begin select raise(abort, 'full'); end"
        file.execute(full)
    failures: list[str] = []
    seen = lockstep(race, on_event=lambda i, e: failures.append(e.error) if isinstance(e, Failed) else None).run()
    assert list(seen.values()) == ["failed", "finished"] and failures == ["IntegrityError: full"]
