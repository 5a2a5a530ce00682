import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from fake_sessions import TROUBLE

from triadapt import cli
from triadapt.recorded.make import RECORDINGS
from triadapt.runs.library import is_race_id, list_runs
from triadapt.runs.store import RunReader

HERE = Path(__file__).parent
FAKE = ["--sessions", "fake_sessions:open_sessions"]
SMALL = ["--steps", "30", "--set", "interval=10", "--set", "warmup=0"]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TRIADAPT_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "runs"


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = cli.main(list(arguments))
    printed = capsys.readouterr()
    return code, printed.out, printed.err


def trained(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    code, out, _ = run(capsys, "train", *FAKE, *SMALL, "--json", *arguments)
    assert code == 0
    result: dict[str, Any] = json.loads(out)
    return result


BAD = {
    "unknown method": (["train", "--method", "lroa"], ["method = 'lroa': unknown method; did you mean lora?"]),
    "unknown task": (["train", "--task", "plant"], ["task = 'plant': unknown task; did you mean planted?"]),
    "no number": (["train", "--steps", "many"], ["steps = 'many': input should be a valid integer"]),
    "too small": (["train", "--steps", "0"], ["steps = 0: input should be greater than or equal to 1"]),
    "negative seed": (["train", "--seed", "-1"], ["seed = -1:"]),
    "unknown field": (["train", "--set", "intervall=3"], ["intervall: unknown field; did you mean interval?"]),
    "unknown field of a method": (["train", "--set", "adalora.beta3=1"], ["adalora.beta3: unknown field"]),
    "no assignment": (["train", "--set", "interval"], ["--set 'interval': expected key=value"]),
    "every wrong field once": (
        ["train", "--method", "lora,adalora", "--steps", "0", "--set", "seed=x", "--set", "interval=0"],
        ["steps = 0:", "seed = 'x':", "interval = 0:"],
    ),
    "method twice": (["train", "--method", "lora,lora"], ["method = 'lora': named twice in --method"]),
    "empty method": (["train", "--method", ""], ["method = '': unknown method"]),
    "no such file": (["train", "nowhere.toml"], ["nowhere.toml: cannot be read (No such file or directory)"]),
    "no TOML": (["train", "bad.toml"], ["bad.toml: not valid TOML"]),
    "runs is a file": (["train", "--runs", "bad.toml"], ["runs folder 'bad.toml' is a file"]),
    "resume with other fields": (["train", "--resume", "x", "--steps", "3"], ["leave out --steps"]),
    "resume of no id": (["train", "--resume", "../x"], ["'../x' is not the id of a run or race"]),
    "resume of an unknown id": (["train", "--resume", "20260102-030405-abcd"], ["there is no run or race"]),
    "preview is checked too": (["preview", "--steps", "0"], ["steps = 0:"]),
    "preview of half an epoch count": (
        ["preview", "--epochs", "3", "--rows", "100"],
        ["--batch-size: missing; steps are"],
    ),
    "preview of an option alone": (["preview", "--processes", "2"], ["--processes: counts only along with --epochs"]),
    "preview of steps twice": (
        ["preview", "--epochs", "1", "--rows", "9", "--batch-size", "1", "--steps", "5"],
        ["--steps 5: follows from --epochs, --rows and --batch-size; leave it out"],
    ),
    "preview of no rows": (["preview", "--epochs", "1", "--rows", "0", "--batch-size", "1"], ["rows = 0: must be at"]),
    "preview of modules alone": (["preview", "--modules", "q 4x4"], ["--modules and --layers: give both"]),
    "preview of unreadable modules": (
        ["preview", "--layers", "2", "--modules", "q 4"],
        ["modules = 'q 4': expected a"],
    ),
    "preview of no matrices": (["preview", "--matrices", "0"], ["--matrices '0': expected a whole number"]),
    "show of no id": (["show", "/etc/passwd"], ["'/etc/passwd' is not the id"]),
    "export of an unknown id": (["export", "20260102-030405-abcd", "out"], ["there is no run or race"]),
    "import of nothing": (["import", "nowhere.gz"], ["nowhere.gz: there is no such file or folder"]),
    "import of something else": (["import", "bad.toml"], ["bad.toml: not a bundle (.jsonl.gz), a TensorBoard folder"]),
    "no command": ([], ["the following arguments are required: COMMAND"]),
    "unknown command": (["trian"], ["invalid choice: 'trian'"]),
    "unknown option": (["runs", "--jsn"], ["unrecognized arguments: --jsn"]),
}


@pytest.mark.parametrize(("arguments", "lines"), BAD.values(), ids=BAD.keys())
def test_bad_input_is_answered_with_a_line_a_wrong_field_and_nothing_is_started(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, arguments: list[str], lines: list[str]
) -> None:
    (tmp_path / "bad.toml").write_text("steps =")
    code, out, err = run(capsys, *arguments)
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == len(lines)
    for expected, line in zip(lines, err.splitlines(), strict=True):
        assert expected in line and line.startswith("triadapt")
    assert [path.name for path in tmp_path.iterdir()] == ["bad.toml"]


def test_train_prints_one_json_object_with_the_result_of_every_run(
    capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    result = trained(capsys, "--method", "triadaptlora,lora", "--name", "mine")
    assert is_race_id(result["race"]) and [r["method"] for r in result["runs"]] == ["triadaptlora", "lora"]
    first = result["runs"][0]
    assert (first["state"], sum(first["final_ranks"])) == ("finished", first["total_rank"])
    assert first["target_total_rank"] == 8 and first["metrics"] == {"recovered": 0.5, "loss": 0.25}
    assert set(first["recovery"]) == {"coverage", "precision", "chance", "even"}
    assert len(first["events_sha256"]) == 64 and first["seconds"] > 0
    assert [info.name for info in list_runs(folder)] == ["mine", "mine"]
    again = trained(capsys, "--method", "triadaptlora,lora")
    assert [r["events_sha256"] for r in again["runs"]] == [r["events_sha256"] for r in result["runs"]]


def test_the_method_is_triadaptlora_unless_the_file_or_the_option_names_one(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert trained(capsys)["runs"][0]["method"] == "triadaptlora"
    (tmp_path / "c.toml").write_text('method = "adalora"\nlearning_rate = 0.25\n[adalora]\nbeta1 = 0.5\n')
    run_id = trained(capsys, "c.toml", "--set", "learning_rate=0.5")["runs"][0]["id"]
    config = RunReader(tmp_path / "runs" / run_id).info().config
    assert (config["method"], config["learning_rate"], config["adalora"]["beta1"]) == ("adalora", 0.5, 0.5)
    assert trained(capsys, "c.toml", "--method", "lora")["runs"][0]["method"] == "lora"


def test_a_failed_run_is_told_on_stderr_and_by_the_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    trouble = ["--set", f"weight_decay={TROUBLE['raises at step 5']}"]
    code, out, err = run(capsys, "train", *FAKE, *SMALL, *trouble, "--json")
    (failed,) = json.loads(out)["runs"]
    assert (code, failed["state"], failed["error"]) == (1, "failed", "ValueError: loss is not a number")
    assert f"{failed['id']}: failed: ValueError: loss is not a number" in err
    assert failed["metrics"] == {"recovered": 0.0, "loss": 1.0}


def test_no_progress_bar_is_drawn_into_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "train", *FAKE, *SMALL)
    assert (code, err) == (0, "") and "finished" in out and "\x1b" not in out


def test_ctrl_c_stops_with_a_checkpoint_and_resume_gives_the_uninterrupted_result(
    capsys: pytest.CaptureFixture[str], folder: Path, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "triadapt", "train", *FAKE, "--method", "lora", "--json"]
    options = ["--steps", "4000", "--set", "interval=10", "--set", "warmup=0"]
    with subprocess.Popen(
        [*command, *options], stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(HERE)}
    ) as process:
        tick = threading.Event()
        while not any(info.last_step > 5 for info in list_runs(folder)):
            assert process.poll() is None
            tick.wait(0.01)
        process.send_signal(signal.SIGINT)
        assert process.stdout is not None
        (stopped,) = json.loads(process.stdout.read())["runs"]
    assert (process.returncode, stopped["state"]) == (130, "stopped")
    code, out, _ = run(capsys, "train", *FAKE, "--resume", stopped["id"], "--json")
    (resumed,) = json.loads(out)["runs"]
    assert (code, resumed["state"]) == (0, "finished")
    code, out, _ = run(capsys, "train", *FAKE, "--method", "lora", *options, "--json")
    assert json.loads(out)["runs"][0]["events_sha256"] == resumed["events_sha256"]
    code, _, err = run(capsys, "train", *FAKE, "--resume", stopped["id"])
    assert code == 2 and "nothing to resume" in err


def test_preview_shows_the_events_without_making_anything(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, out, err = run(capsys, "preview", "--steps", "300", "--set", "interval=30")
    assert (code, err) == (0, "") and "total rank" in out
    code, out, _ = run(capsys, "preview", "--method", "triadaptlora,adalora", "--steps", "300", "--json")
    previews = json.loads(out)["previews"]
    assert [p["method"] for p in previews] == ["triadaptlora", "adalora"]
    assert {"step", "progress", "gap", "allowed", "total_rank"} <= set(previews[0]["rows"][0])
    row = previews[0]["rows"][0]
    assert row["change"] == row["total_rank"] - previews[0]["start"]
    assert row["parameters"]["least"] <= row["parameters"]["even"] <= row["parameters"]["most"]
    code, out, _ = run(capsys, "preview", "--set", "warmup=590")
    assert code == 0 and "warning: " in out and "fix: --set warmup=60" in out
    assert list(tmp_path.iterdir()) == []


def test_preview_counts_steps_as_the_trainer_does_and_takes_the_matrices_of_any_model(
    capsys: pytest.CaptureFixture[str],
) -> None:
    epochs = ["--epochs", "3", "--rows", "67349", "--batch-size", "32", "--accumulation", "4"]
    model = ["--layers", "12", "--modules", "query 768x768, value 768x768"]
    code, out, _ = run(capsys, "preview", *epochs, *model, "--set", "warmup=2000")
    assert code == 0 and out.splitlines()[0].endswith("x 3 epochs: 1,581 optimizer steps")
    assert "36,912 parameters at the start" in out and "as if it counted batches" in out
    assert "fix: --set warmup=500" in out
    code, out, _ = run(capsys, "preview", *epochs, *model, "--processes", "2", "--json")
    found = json.loads(out)
    assert found["counted"]["steps"] == 792 and found["previews"][0]["total_step"] == 792
    assert found["previews"][0]["lints"][0]["changes"] == {"processes": 1, "accumulation": 8}
    assert "--processes 1 --accumulation 8" in run(capsys, "preview", *epochs, "--processes", "2")[1]


def test_runs_show_export_and_import_go_round(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert "no runs in" in run(capsys, "runs")[1]
    result = trained(capsys, "--method", "triadaptlora,lora")
    race, ids = result["race"], [r["id"] for r in result["runs"]]
    assert [r["id"] for r in json.loads(run(capsys, "runs", "--json")[1])] == ids
    assert all(run_id in run(capsys, "runs")[1] for run_id in ids)
    assert [r["state"] for r in json.loads(run(capsys, "show", race, "--json")[1])] == ["finished"] * 2
    (shown,) = json.loads(run(capsys, "show", ids[0], "--events", "--json")[1])
    assert [e["kind"] for e in shown["events"][:2]] == ["started", "evaluation"]
    text = run(capsys, "show", ids[0], "--events")[1]
    assert "total rank: 6 of 8" in text and "rank event: 1 of 1 allowed, total rank 5" in text
    code, out, _ = run(capsys, "export", race, "out", "--what", "csv,parquet,figure,json,bundle", "--json")
    assert code == 0 and len(json.loads(out)) == 9 + 9 + 2 + 1 + 1
    code, _, err = run(capsys, "export", race, "out", "--what", "json")
    assert code == 2 and "run.json: exists already" in err
    code, _, err = run(capsys, "export", race, "out/run.json/below", "--what", "replay")
    assert code == 1 and "Not a directory" in err and len(err.splitlines()) == 1
    assert run(capsys, "export", race, "out", "--what", "json", "--overwrite")[0] == 0
    code, _, err = run(capsys, "export", race, "weights", "--what", "adaptor,lora")
    assert (
        code == 2
        and "known: csv, parquet, replay, figure, json, bundle, tensorboard, trackio, adapter, lora, merged" in err
    )
    code, _, err = run(capsys, "export", race, "weights", "--what", "adapter,csv")
    assert code == 2 and "there are no weights to export" in err and not (tmp_path / "weights").exists()
    code, out, _ = run(capsys, "import", f"out/{race}.jsonl.gz", "--runs", "others", "--json")
    assert code == 0 and [info.id for info in list_runs(tmp_path / "others")] == json.loads(out)


def test_a_reader_that_has_enough_is_no_error(capsys: pytest.CaptureFixture[str]) -> None:
    run_id = trained(capsys)["runs"][0]["id"]
    with subprocess.Popen(
        [sys.executable, "-m", "triadapt", "show", run_id, "--events"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0


def test_a_folder_that_cannot_be_written_is_named(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    code, _, err = run(capsys, "train", *FAKE, *SMALL, "--runs", "file/below")
    assert code == 1 and "file" in err and len(err.splitlines()) == 1


def test_the_version_and_the_help_leave_with_zero(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "--version")[:2] == (0, "triadapt 0.1.0\n")
    code, out, _ = run(capsys, "train", "--help")
    assert code == 0 and "--sessions" not in out


def test_every_recording_has_valid_configurations() -> None:
    assert {recording.slug for recording in RECORDINGS} == {
        "healthy-race", "warmup-too-long", "adalora-never-allocates",
    }  # fmt: skip
    for recording in RECORDINGS:
        assert [config.method for config in recording.configs()] == list(recording.methods)
