"""Logs of TensorBoard as runs, and runs as logs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from foreign_files import PATHS, Ranks, adalora_log, increlora_log, pruned_ranks
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch.utils.tensorboard import SummaryWriter

from triadapt import cli
from triadapt.config import parse_config
from triadapt.events import Evaluation, RankEvent, Scores, Started, Step, Warned
from triadapt.imports import event_files
from triadapt.imports.any_path import import_path
from triadapt.runs import trackio_log
from triadapt.runs.bundle import import_bundle, recorded_races
from triadapt.runs.export import WHAT, document, export
from triadapt.runs.info import RunError
from triadapt.runs.library import list_runs
from triadapt.runs.reader import RunReader
from triadapt.runs.scalar_tags import scalars_of
from triadapt.views.board import board_frame, run_frame
from triadapt.views.compare.record import record_of
from triadapt.views.compare.table import side_by_side, summary_row
from triadapt.views.health import findings
from triadapt.views.what_if.recording import recording_of


def imported(runs: Path, path: Path) -> RunReader:
    (run_id,) = import_path(runs, path)
    return RunReader(runs / run_id)


def ranks_of(reader: RunReader) -> Ranks:
    return {s.event.step: s.event.ranks.tolist() for s in reader.events() if isinstance(s.event, RankEvent)}


def started_of(reader: RunReader) -> Started:
    (event,) = [s.event for s in reader.events() if isinstance(s.event, Started)]
    return event


@pytest.fixture(scope="module")
def pruned(tmp_path_factory: pytest.TempPathFactory) -> RunReader:
    place = tmp_path_factory.mktemp("pruned")
    return imported(place / "runs", adalora_log(place / "tb_logs", pruned_ranks()))


def test_a_log_of_adalora_is_a_run_with_the_ranks_that_were_written(pruned: RunReader) -> None:
    assert ranks_of(pruned) == pruned_ranks()
    info, started = pruned.info(), started_of(pruned)
    assert (info.method, info.task, info.state, info.steps) == ("adalora", "elsewhere", "finished", 951)
    assert (info.origin, info.resumable) == ("imported from tb_logs", False)
    assert [matrix.name for matrix in started.matrices] == PATHS
    places = [(matrix.layer, matrix.module) for matrix in started.matrices]
    assert places[:4] == [(0, "query"), (0, "value"), (0, "attn.out"), (0, "out")]
    first = next(s.event for s in pruned.events() if isinstance(s.event, RankEvent))
    assert first.rule == "budget" and first.threshold == pytest.approx(1e-6)
    assert first.trainable_parameters == 1536 * first.total_rank
    losses = [s.event for s in pruned.events() if isinstance(s.event, Step)]
    assert [(e.step, e.learning_rate) for e in losses[:2]] == [(0, pytest.approx(1e-3)), (50, pytest.approx(9.5e-4))]
    evaluations = [s.event for s in pruned.events() if isinstance(s.event, Evaluation)]
    assert started.metric == "accuracy" and started.higher_is_better
    assert evaluations[0].step == 150 and evaluations[0].metrics == pytest.approx({"accuracy": 0.56, "loss": 1 / 1.375})


def test_what_a_log_does_not_tell_is_left_open_and_said(pruned: RunReader) -> None:
    info, started = pruned.info(), started_of(pruned)
    assert info.config == {
        "method": "adalora",
        "steps": 951,
        "task": "elsewhere",
        "elsewhere": {"source": "TensorBoard"},
    }
    assert {matrix.shape for matrix in started.matrices} == {(0, 0)}
    assert (started.trainable_parameters, started.target_total_rank) == (0, 0)
    assert all(not len(s.event.scores) for s in pruned.events() if isinstance(s.event, RankEvent))
    (note,) = [s.event.message for s in pruned.events() if isinstance(s.event, Warned)]
    assert note == "the log holds no ranks from before step 100: until then those of this step are shown"
    with pytest.raises(RunError, match="tells nothing of its schedule"):
        recording_of(pruned.events())


def test_it_is_drawn_compared_and_exported_like_any_run(pruned: RunReader, tmp_path: Path) -> None:
    rows, info = pruned.events(), pruned.info()
    frame = run_frame(info.id, rows, after=0, generation=0, status={"state": info.state})
    assert len(frame["events"]["t"]) == 9 and not frame["events"]["late"].any()
    assert board_frame(info.race, [frame], full=True)
    record = record_of(rows)
    assert record is not None
    (run,) = side_by_side([(info, record)])
    row = summary_row(run)
    assert (row["Rank events"], row["Total rank"]) == (9, info.total_rank)
    assert not [finding for finding in findings(s.event for s in rows) if finding.code == "target_missed"]
    assert document([(info, rows)])["runs"][0]["events"][0]["matrices"][0]["shape"] == [0, 0]
    what = [form for form in WHAT if form != "trackio"]
    assert {"replay.html", "ranks.csv", "ranks.parquet"} <= {path.name for path in export([pruned], tmp_path, what)}
    bundle = next(tmp_path.glob("*.jsonl.gz"))
    (again,) = import_path(tmp_path / "runs", bundle)
    assert ranks_of(RunReader(tmp_path / "runs" / again)) == pruned_ranks()
    assert RunReader(tmp_path / "runs" / again).info().config == info.config


def test_a_log_of_increlora_grows(tmp_path: Path) -> None:
    ranks = {step: [1 + (step // 20 > i) for i in range(len(PATHS))] for step in range(0, 200, 20)}
    reader = imported(tmp_path / "runs", increlora_log(tmp_path / "log", ranks))
    assert reader.info().method == "increlora" and started_of(reader).start_total_rank == len(PATHS)
    start = ranks.pop(0)
    assert ranks_of(reader) == ranks
    first = next(s.event for s in reader.events() if isinstance(s.event, RankEvent))
    assert first.before.tolist() == start and first.chosen == [0] and first.rule == "top-h"


def test_losses_of_the_trainer_are_counted_from_the_step_they_belong_to(tmp_path: Path) -> None:
    writer = SummaryWriter(str(tmp_path / "log"))
    for step in (10, 20):
        writer.add_scalar("train/loss", 1 / step, step)
        writer.add_scalar("train/epoch", step / 10, step)
        writer.add_scalar(f"Ranknum/{PATHS[0]}", step / 10, step)
    writer.add_scalar("train/loss", float("nan"), 30)
    writer.close()
    reader = imported(tmp_path / "runs", tmp_path / "log")
    assert [s.event.step for s in reader.events() if isinstance(s.event, Step)] == [9, 19]
    assert any(s.event.message == "the loss is nan" for s in reader.events() if isinstance(s.event, Warned))


def test_folders_with_ranks_of_their_own_are_the_runs_of_one_race(tmp_path: Path) -> None:
    adalora_log(tmp_path / "glue" / "a", pruned_ranks())
    increlora_log(tmp_path / "glue" / "b", {10: [2] * len(PATHS)})
    run_ids = import_path(tmp_path / "runs", tmp_path / "glue")
    infos = list_runs(tmp_path / "runs")
    assert [info.id for info in infos] == run_ids and len({info.race for info in infos}) == 1
    assert [info.method for info in infos] == ["adalora", "increlora"] and {info.name for info in infos} == {"glue"}
    assert [info.origin for info in infos] == ["imported from glue, run a", "imported from glue, run b"]
    assert [info.without_steps for info in infos] == [False, True]


@pytest.fixture(scope="module")
def race(tmp_path_factory: pytest.TempPathFactory) -> list[RunReader]:
    runs = tmp_path_factory.mktemp("runs")
    (path,) = [race.path for race in recorded_races() if race.slug == "healthy-race"]
    return [RunReader(runs / name) for name in import_bundle(runs, path)]


def test_what_is_exported_as_a_log_comes_back_with_the_same_ranks(race: list[RunReader], tmp_path: Path) -> None:
    files = export(race, tmp_path / "out", ["tensorboard"])
    assert [file.parent.name for file in files] == [reader.info().id for reader in race]
    for reader, file in zip(race, files, strict=True):
        back = imported(tmp_path / "runs", file.parent)
        assert back.info().method == reader.info().method and back.info().metric == reader.info().metric
        events, found = ([s.event for s in one.events()] for one in (reader, back))
        if reader.info().method != "lora":
            assert ranks_of(back) == ranks_of(reader)
        for kind in (Step, Evaluation, Scores):
            assert [e.step for e in found if isinstance(e, kind)] == [e.step for e in events if isinstance(e, kind)]
        for here, there in zip(*([e for e in one if isinstance(e, RankEvent) and e.rule != "saved"]
                                 for one in (events, found)), strict=False):  # fmt: skip
            np.testing.assert_array_equal(here.scores, there.scores)
            np.testing.assert_array_equal(here.before, there.before)
            assert here.allowed == there.allowed and there.threshold == pytest.approx(here.threshold, rel=1e-6)


def test_tensorboard_itself_reads_the_export(race: list[RunReader], tmp_path: Path) -> None:
    reader = race[0]
    (file,) = export([reader], tmp_path, ["tensorboard"])
    log = EventAccumulator(str(file.parent), size_guidance={"scalars": 0, "histograms": 0}).Reload()
    events = [s.event for s in reader.events() if isinstance(s.event, RankEvent)]
    name = started_of(reader).matrices[0].name
    assert [(e.step, e.value) for e in log.Scalars(f"Ranknum/{name}")][1:] == [(e.step, e.ranks[0]) for e in events]
    assert len(log.Histograms("ranks")) == len(events)
    with pytest.raises(FileExistsError):
        export([reader], tmp_path, ["tensorboard"])


@pytest.mark.parametrize(
    ("tag", "value", "line"),
    [
        ("Ranknum/a.0.q", -1.0, "a.0.q = -1: a rank is a whole number from 0 to 65535"),
        ("Ranknum/a.0.q", 1.5, "= 1.5: a rank is"),
        ("Ranknum/a.0.q", float("nan"), "= nan: a rank is"),
        ("Ranknum/../../etc", 1.0, "not the path of a layer"),
        ("Ranknum/<b>x</b>", 1.0, "not the path of a layer"),
        ("Ranknum/a\nb", 1.0, "not the path of a layer"),
        ("train/loss", 1.0, "no rank in it: expected scalars named Ranknum/MATRIX"),
    ],
)
def test_ranks_and_names_that_cannot_be_cost_one_line(tmp_path: Path, tag: str, value: float, line: str) -> None:
    writer = SummaryWriter(str(tmp_path / "log"))
    writer.add_scalar(tag, value, 10)
    writer.close()
    with pytest.raises(RunError) as refused:
        import_path(tmp_path / "runs", tmp_path / "log")
    assert line in str(refused.value) and str(refused.value).isprintable()
    assert not list_runs(tmp_path / "runs")


def test_paths_that_hold_nothing_cost_one_line_and_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_files, "MOST_BYTES", 10_000)
    (tmp_path / "empty").mkdir()
    (tmp_path / "garbage").write_bytes(os.urandom(64).replace(b"\x1f", b"x"))
    (tmp_path / "events.out.tfevents.1").write_bytes(b"not one")
    adalora_log(tmp_path / "large", pruned_ranks())
    told = {
        "missing": "there is no such file or folder", "empty": "an empty folder; expected a bundle",
        "garbage": "not a bundle (.jsonl.gz), a TensorBoard folder", "events.out.tfevents.1": "no rank in it",
        "large": "at most 0 MB are read",
    }  # fmt: skip
    for name, line in told.items():
        code = cli.main(["import", str(tmp_path / name), "--runs", str(tmp_path / "runs")])
        out, err = capsys.readouterr()
        assert (code, out) == (2, "") and line in err and err.count("\n") == 1, name
    assert not (tmp_path / "runs").exists()


def test_a_file_larger_than_what_is_read_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "events.out.tfevents.2"
    with open(path, "wb") as file:
        file.truncate(2 * 2**30)
    with pytest.raises(RunError, match="2048 MB; at most 512 MB are read"):
        event_files.read_scalars([path])


def test_reading_a_log_loads_no_torch(tmp_path: Path) -> None:
    log = adalora_log(tmp_path / "log", pruned_ranks())
    script = (
        "import sys; from pathlib import Path; from triadapt.imports.any_path import import_path\n"
        f"runs, log, out = (Path(p) for p in {[str(tmp_path / 'runs'), str(log), str(tmp_path / 'out')]!r})\n"
        "(run,) = import_path(runs, log)\n"
        "from triadapt.runs.export import export; from triadapt.runs.reader import RunReader\n"
        "export([RunReader(runs / run)], out, ['tensorboard'])\n"
        "print({'torch', 'tensorflow', 'transformers', 'peft'} & set(sys.modules))"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120)
    assert ran.stdout.strip() == "set()", ran.stderr


def test_without_trackio_one_line_says_how_to_install_it(
    pruned: RunReader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trackio_log, "available", lambda: False)
    with pytest.raises(RunError, match=r'pip install "triadapt\[trackio\]"'):
        export([pruned], tmp_path / "out", ["csv", "trackio"])
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(not trackio_log.available(), reason="trackio is not installed (extra trackio)")
def test_trackio_holds_the_run(race: list[RunReader], tmp_path: Path) -> None:
    (file,) = export(race, tmp_path, ["trackio"])
    assert file.name == f"{race[0].info().race}.db"
    script = (
        "import json, sys, trackio\nfrom trackio.sqlite_storage import SQLiteStorage\n"
        "project, run = sys.argv[1:]\n"
        "runs = [one.name for one in trackio.Api().runs(project)]\n"
        "print(json.dumps([runs, SQLiteStorage.get_logs(project, run)]))"
    )
    reader = race[0]
    ran = subprocess.run(
        [sys.executable, "-c", script, reader.info().race, reader.info().id], capture_output=True, text=True,
        env={**os.environ, "TRACKIO_DIR": str(tmp_path)}, timeout=120,
    )  # fmt: skip
    names, logs = json.loads(ran.stdout.strip().splitlines()[-1])
    assert sorted(names) == sorted(one.info().id for one in race)
    held = {(log["step"], tag): value for log in logs for tag, value in log.items()}
    for row, scalars in scalars_of(reader.events()):
        for tag, value in scalars.items():
            assert not np.isfinite(value) or held[row.event.step, tag] == pytest.approx(value)
    with pytest.raises(FileExistsError):
        export(race, tmp_path, ["trackio"])


def test_a_configuration_from_elsewhere_says_only_what_is_known() -> None:
    config = parse_config({"method": "adalora", "task": "elsewhere", "steps": 3})
    assert config.as_dict() == {"method": "adalora", "task": "elsewhere", "steps": 3}
    assert parse_config(config.as_dict()) == config
