import base64
import gzip
import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fake_sessions import open_sessions

from triadapt.config import parse_config
from triadapt.events import Checkpointed, Geometry, RankEvent, Scores, Step, encode
from triadapt.runs import bundle
from triadapt.runs.event_checks import check_events
from triadapt.runs.export import document, export
from triadapt.runs.info import RunError
from triadapt.runs.library import find, list_runs, new_race
from triadapt.runs.store import RunReader
from triadapt.runs.summary import events_sha256, summary
from triadapt.workers.lockstep import Lockstep


@pytest.fixture(scope="module")
def readers(tmp_path_factory: pytest.TempPathFactory) -> list[RunReader]:
    configs = [parse_config({"method": m, "steps": 50, "interval": 10, "warmup": 0}) for m in ("triadaptlora", "lora")]
    race = new_race(tmp_path_factory.mktemp("runs"), configs, "the race")
    Lockstep(race.folders, open_sessions).run()
    return [RunReader(folder) for folder in race.folders]


def encoded(reader: bundle.Readable) -> list[tuple[int, float, str, int, str, bytes]]:
    return [(s.seq, s.time, s.event.kind, s.event.step, *encode(s.event)) for s in reader.events()]


def test_a_bundle_holds_the_race_as_it_was(tmp_path: Path, readers: list[RunReader]) -> None:
    bundle.write_bundle(tmp_path / "a.jsonl.gz", readers, title="T", description="D")
    runs = bundle.read_bundle(tmp_path / "a.jsonl.gz")
    assert [encoded(run) for run in runs] == [encoded(reader) for reader in readers]
    for run, reader in zip(runs, readers, strict=True):
        info, was = run.info(), reader.info()
        assert info.state == "recorded" and run.ended == "finished"
        changed = {"state": "finished", "folder": was.folder}
        assert {**info.__dict__, **changed} == was.__dict__
        assert [s.seq for s in run.events(after=10, limit=3)] == [11, 12, 13]
        assert run.snapshot(10) == (info, run.events(10))


def test_the_bytes_of_a_bundle_depend_on_the_runs_alone(tmp_path: Path, readers: list[RunReader]) -> None:
    bundle.write_bundle(tmp_path / "a.jsonl.gz", readers)
    bundle.write_bundle(tmp_path / "b.jsonl.gz", readers)
    bundle.write_bundle(tmp_path / "c.jsonl.gz", bundle.read_bundle(tmp_path / "a.jsonl.gz"))
    contents = {path.read_bytes() for path in tmp_path.iterdir()}
    assert len(contents) == 1


def test_thinning_keeps_the_ends_of_curves_and_every_decision_exactly(tmp_path: Path, readers: list[RunReader]) -> None:
    bundle.write_bundle(tmp_path / "thin.jsonl.gz", readers, thin=8)
    run, reader = bundle.read_bundle(tmp_path / "thin.jsonl.gz")[0], readers[0]
    steps = [s.event.step for s in run.events() if isinstance(s.event, Step)]
    assert steps == [0, 7, 14, 21, 28, 35, 42, 49]
    curves = (Step, Scores, Geometry, Checkpointed)
    others = [s for s in reader.events() if not isinstance(s.event, curves)]
    assert [(s.seq, encode(s.event)) for s in run.events() if not isinstance(s.event, curves)] == [
        (s.seq, encode(s.event)) for s in others
    ]
    for kind in (Scores, Geometry):
        was = [s.seq for s in reader.events() if isinstance(s.event, kind)]
        kept = [s.seq for s in run.events() if isinstance(s.event, kind)]
        assert kept == [was[0], was[-1]] if len(was) > 1 else kept == was
    header = bundle.read_header(tmp_path / "thin.jsonl.gz")
    assert (header["thin"], header["left_out"]) == (8, ["checkpoint"])
    with pytest.raises(RunError, match="thin = 1"):
        bundle.write_bundle(tmp_path / "thinner.jsonl.gz", readers, thin=1)


def test_a_bundle_never_replaces_a_file_unasked_and_leaves_no_half(tmp_path: Path, readers: list[RunReader]) -> None:
    path = tmp_path / "a.jsonl.gz"
    path.write_text("precious")
    with pytest.raises(FileExistsError):
        bundle.write_bundle(path, readers)
    (tmp_path / "damaged").mkdir()
    with pytest.raises(RunError, match="damaged"):
        bundle.write_bundle(path, [readers[0], RunReader(tmp_path / "damaged")], overwrite=True)
    assert path.read_text() == "precious" and sorted(p.name for p in tmp_path.iterdir()) == ["a.jsonl.gz", "damaged"]


def test_importing_makes_a_race_of_its_own_that_cannot_be_resumed(tmp_path: Path, readers: list[RunReader]) -> None:
    bundle.write_bundle(tmp_path / "a.jsonl.gz", readers)
    run_ids = bundle.import_bundle(tmp_path / "runs", tmp_path / "a.jsonl.gz")
    infos = list_runs(tmp_path / "runs")
    assert [info.id for info in infos] == run_ids and infos[0].race != readers[0].info().race
    assert {info.state for info in infos} == {"finished"} and not any(info.resumable for info in infos)
    assert infos[0].lineage == {"imported": "a.jsonl.gz", "run": readers[0].info().id}
    assert (infos[0].name, infos[0].created) == ("the race", readers[0].info().created)
    for info, reader in zip(infos, readers, strict=True):
        imported = RunReader(tmp_path / "runs" / info.id)
        assert events_sha256(imported.events()) == events_sha256(reader.events())
        assert [s.time for s in imported.events()] == [s.time for s in reader.events()]
        assert info.total_rank == reader.info().total_rank


def damaged(path: Path, readers: list[RunReader], harm: str) -> None:
    bundle.write_bundle(path, readers)
    lines = gzip.decompress(path.read_bytes()).split(b"\n")
    header, run, event = (json.loads(line) for line in lines[:3])
    match harm:
        case "not gzip":
            path.write_text("hello")
            return
        case "cut":
            path.write_bytes(path.read_bytes()[:-500])
            return
        case "other json":
            lines[0] = b'{"format": "something else"}'
        case "no object":
            lines[0] = b"[1, 2]"
        case "newer":
            lines[0] = json.dumps(header | {"version": 9}).encode()
        case "too many":
            lines[0] = json.dumps(header | {"runs": 10**9}).encode()
        case "fewer lines":
            del lines[-4:]
        case "more lines":
            lines.insert(-1, lines[-2])
        case "order":
            lines[2], lines[3] = lines[3], lines[2]
        case "bad config":
            lines[1] = json.dumps(run | {"run": run["run"] | {"config": {"steps": "many"}}}).encode()
        case "unknown kind":
            lines[2] = json.dumps(event | {"kind": "party"}).encode()
        case "bad base64":
            lines[2] = json.dumps(event | {"arrays": "###"}).encode()
        case "arrays of another length":
            index = next(i for i, line in enumerate(lines) if b'"kind":"scores"' in line)
            short = base64.b64encode(b"\0" * 4).decode()
            lines[index] = json.dumps(json.loads(lines[index]) | {"arrays": short}).encode()
        case "empty":
            lines = []
    path.write_bytes(gzip.compress(b"\n".join(lines)))


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        ("not gzip", "not a whole gzip file"),
        ("cut", "not a whole gzip file"),
        ("empty", "not a bundle"),
        ("other json", "not a bundle"),
        ("no object", "not a bundle"),
        ("newer", "bundle version 9"),
        ("too many", "expected 1 to 64"),
        ("fewer lines", "ends before its last event"),
        ("more lines", "goes on after"),
        ("order", "out of order"),
        ("bad config", "not a valid run"),
        ("unknown kind", "unknown event kind 'party'"),
        ("bad base64", "not base64"),
        ("arrays of another length", "not a valid 'scores' event"),
    ],
)
def test_a_damaged_bundle_is_refused_in_one_line_and_imports_nothing(
    tmp_path: Path, readers: list[RunReader], harm: str, words: str
) -> None:
    path = tmp_path / "a.jsonl.gz"
    damaged(path, readers, harm)
    with pytest.raises(RunError, match=words) as caught:
        bundle.import_bundle(tmp_path / "runs", path)
    assert "\n" not in str(caught.value) and not (tmp_path / "runs").exists()


def test_a_bundle_that_unpacks_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle, "MAX_BYTES", 10_000)
    monkeypatch.setattr(bundle, "MAX_LINE", 5_000)
    for data in (b" " * 50_000, b"{}\n" * 10_000):
        (tmp_path / "bomb.jsonl.gz").write_bytes(
            gzip.compress(b'{"format":"triadapt-bundle","version":1,"runs":1}\n' + data)
        )
        with pytest.raises(RunError, match=r"larger than|not a"):
            bundle.read_bundle(tmp_path / "bomb.jsonl.gz")
    with pytest.raises(RunError, match="cannot be read"):
        bundle.read_bundle(tmp_path / "nowhere.jsonl.gz")


def test_every_recorded_race_can_be_read() -> None:
    for recorded in bundle.recorded_races():
        assert recorded.title and recorded.description
        runs = bundle.read_bundle(recorded.path)
        assert runs and all(run.info().state == "recorded" for run in runs)


def test_the_json_document_is_strict_and_holds_every_event(tmp_path: Path, readers: list[RunReader]) -> None:
    (file,) = export(readers, tmp_path, ["json"])
    read = json.loads(file.read_text(), parse_constant=lambda text: pytest.fail(f"{text} is not JSON"))
    assert [run["id"] for run in read["runs"]] == [reader.info().id for reader in readers]
    assert [len(run["events"]) for run in read["runs"]] == [len(reader.events()) for reader in readers]
    step = next(event for event in read["runs"][0]["events"] if event["kind"] == "step")
    first = next(s for s in readers[0].events() if isinstance(s.event, Step))
    assert step == {
        "seq": first.seq, "time": first.time, "kind": "step", "step": 0, "loss": first.event.loss,
        "learning_rate": first.event.learning_rate,
    }  # fmt: skip
    assert read == document([(reader.info(), reader.events()) for reader in readers])


def test_export_names_what_is_there_already_and_writes_nothing(tmp_path: Path, readers: list[RunReader]) -> None:
    (tmp_path / "scores.csv").write_text("precious")
    with pytest.raises(FileExistsError) as caught:
        export(readers, tmp_path, ["json", "csv", "bundle"])
    assert caught.value.filename == str(tmp_path / "scores.csv")
    assert [path.name for path in tmp_path.iterdir()] == ["scores.csv"]
    files = export(readers, tmp_path, ["csv", "bundle"], overwrite=True)
    assert sorted(files) == sorted(tmp_path.iterdir()) and files[-1].name == f"{readers[0].info().race}.jsonl.gz"
    with pytest.raises(RunError, match="known: csv, parquet, replay, figure, json, bundle"):
        export(readers, tmp_path, ["csv", "adapter"])


def test_the_replay_page_is_one_file_with_the_title_of_the_race(tmp_path: Path, readers: list[RunReader]) -> None:
    (file,) = export(readers, tmp_path, ["replay"])
    text = file.read_text(encoding="utf-8")
    assert "<title>the race" in text and "</html>" in text


def test_a_summary_tells_the_result_and_equal_trainings_share_its_hash(
    tmp_path: Path, readers: list[RunReader]
) -> None:
    seen = [summary(reader) for reader in readers]
    last = [s.event for s in readers[0].events() if isinstance(s.event, RankEvent)][-1]
    assert seen[0]["final_ranks"] == last.ranks.tolist() and seen[0]["total_rank"] == sum(seen[0]["final_ranks"])
    assert seen[0]["metrics"] == {"recovered": 0.5, "loss": 0.25} and seen[0]["state"] == "finished"
    grown = np.array(seen[0]["final_ranks"]) - 1
    assert seen[0]["recovery"]["precision"] == grown[0] / grown.sum()
    race = new_race(tmp_path, [parse_config(readers[0].info().config)], "another name")
    Lockstep(race.folders, open_sessions).run()
    again = summary(RunReader(find(tmp_path, race.id)[0].folder or tmp_path))
    assert again["events_sha256"] == seen[0]["events_sha256"] != seen[1]["events_sha256"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"created": "yesterday"}, "created"),
        ({"created": 1e300}, "not a time"),
        ({"metric_value": "good"}, "metric_value"),
        ({"name": 7}, "name"),
        ({"measured": {"step_seconds": math.inf}}, "measured.step_seconds = inf: not a time above 0"),
        ({"measured": {"step_seconds": math.nan}}, "measured.step_seconds = nan"),
        ({"measured": {"step_seconds": -1.0}}, "measured.step_seconds = -1.0"),
        ({"measured": {"step_seconds": 0}}, "measured.step_seconds = 0"),
        ({"measured": {"step_seconds": 10**400}}, "measured.step_seconds|OverflowError|too large"),
        ({"measured": {"step_seconds": "1"}}, "measured.step_seconds = 1"),
        ({"measured": 7}, "not a valid run"),
    ],
)
def test_a_bundle_that_lies_about_a_run_is_refused(
    tmp_path: Path, readers: list[RunReader], change: dict[str, object], said: str
) -> None:
    path = tmp_path / "a.jsonl.gz"
    bundle.write_bundle(path, readers)
    lines = gzip.decompress(path.read_bytes()).splitlines()
    run = json.loads(lines[1])
    run["run"] |= change
    path.write_bytes(gzip.compress(b"\n".join([lines[0], json.dumps(run).encode(), *lines[2:]])))
    with pytest.raises(RunError, match=said):
        bundle.read_bundle(path)


def test_of_what_was_measured_only_what_this_program_measures_is_kept(tmp_path: Path, readers: list[RunReader]) -> None:
    path = tmp_path / "a.jsonl.gz"
    bundle.write_bundle(path, readers)
    lines = gzip.decompress(path.read_bytes()).splitlines()
    run = json.loads(lines[1])
    run["run"]["measured"] = {"step_seconds": 0.25, "x" * 100_000: 1.0}
    path.write_bytes(gzip.compress(b"\n".join([lines[0], json.dumps(run).encode(), *lines[2:]])))
    assert bundle.read_bundle(path)[0].info().measured == {"step_seconds": 0.25}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"shared": [[0, 99999]]}, "shared: a matrix number outside 0 to"),
        ({"shared": [[0, -1]]}, "shared: a matrix number outside 0 to"),
        ({"shared": [[0, 1], [1, 2]]}, "named twice"),
        ({"shared": [[]]}, "an empty group"),
        ({"shared": [["0", "1"]]}, "valid integer"),
        ({"rank_kind": "guessed"}, "'allotted' or 'measured'"),
        ({"frozen_bytes": -7}, "frozen_bytes = -7"),
        ({"frozen_bytes": "7"}, "valid integer"),
        ({"trainable_parameters": "7"}, "valid integer"),
    ],
)
def test_a_bundle_that_lies_about_how_a_run_started_is_refused(
    tmp_path: Path, readers: list[RunReader], change: dict[str, object], said: str
) -> None:
    path = tmp_path / "a.jsonl.gz"
    bundle.write_bundle(path, readers)
    lines = gzip.decompress(path.read_bytes()).splitlines()
    started = json.loads(lines[2])
    started["body"] = json.dumps(json.loads(started["body"]) | change)
    path.write_bytes(gzip.compress(b"\n".join([*lines[:2], json.dumps(started).encode(), *lines[3:]])))
    with pytest.raises(RunError, match=said) as caught:
        bundle.read_bundle(path)
    assert "\n" not in str(caught.value)


def test_events_whose_arrays_do_not_fit_the_matrices_are_refused(readers: list[RunReader]) -> None:
    events = [stamped.event for stamped in readers[0].events()]
    check_events(events)
    event = next(event for event in events if isinstance(event, RankEvent))
    with pytest.raises(ValueError, match="ranks has 1 values"):
        check_events([events[0], replace(event, ranks=event.ranks[:1])])
    with pytest.raises(ValueError, match="a matrix number outside"):
        check_events([events[0], replace(event, chosen=[99])])
    with pytest.raises(ValueError, match="loss"):
        check_events([events[0], Step(0, "low", 0.1)])  # type: ignore[arg-type]


def test_a_name_from_a_bundle_is_one_tidy_line(tmp_path: Path, readers: list[RunReader]) -> None:
    path = tmp_path / "a.jsonl.gz"
    bundle.write_bundle(path, readers)
    lines = gzip.decompress(path.read_bytes()).splitlines()
    run = json.loads(lines[1])
    run["run"]["name"] = "a\nb" * 200
    path.write_bytes(gzip.compress(b"\n".join([lines[0], json.dumps(run).encode(), *lines[2:]])))
    name = bundle.read_bundle(path)[0].info().name
    assert "\n" not in name and len(name) == 120
