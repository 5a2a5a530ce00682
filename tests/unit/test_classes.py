"""Classes without pages: their files, codes and keys, what students may train, links, the command."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from streamlit import get_option

from triadapt import cli
from triadapt.classroom import following
from triadapt.classroom.controls import CONTROLS
from triadapt.classroom.limits import (
    LEAST,
    LEAST_OF_TEXT,
    MOST,
    MOST_OF_TEXT,
    OF_THE_MACHINE,
    TASKS_IN_CLASS,
    free_texts,
    refusals,
    standard_of,
)
from triadapt.classroom.links import other_host, qr_png, qr_svg, qr_terminal, student_link, teacher_link
from triadapt.classroom.names import checked_code, is_code, is_key, new_code, new_key, same_key
from triadapt.classroom.network import is_local
from triadapt.classroom.server import CODE, KEY, served_class
from triadapt.classroom.settings import ClassSettings, parse_class
from triadapt.classroom.store import class_file, list_classes, read_class, write_class
from triadapt.cli_class import LARGEST_MESSAGE, server_command
from triadapt.config import ConfigError, RunConfig, parse_config, put_value
from triadapt.methods.registry import METHODS
from triadapt.runs.info import RunError
from triadapt.runs.library import list_runs
from triadapt.tasks.registry import TASKS

FULL = {
    "title": "Spring", "lesson": "lora", "run": "healthy-race", "pages": ["learn", "play", "runs"],
    "hidden": ["top_h", "planted.noise"], "training": False,
    "locked": {
        "warmup": 20, "learning_rate": 0.01, "method": ["lora", "adalora"], "planted.blocks": 3, "task": "planted",
    },
}  # fmt: skip


def test_a_class_comes_back_as_it_was_written(tmp_path: Path) -> None:
    settings = parse_class(FULL)
    write_class(tmp_path, "spring-1", settings)
    assert read_class(tmp_path, "spring-1") == settings
    write_class(tmp_path, "spring-1", ClassSettings(title="Later"))
    assert read_class(tmp_path, "spring-1").title == "Later"
    assert list_classes(tmp_path) == ["spring-1"] and list_runs(tmp_path) == []
    assert [path.name for path in (tmp_path / "classes").iterdir()] == ["spring-1.toml"]


@pytest.mark.parametrize(
    ("wrong", "line"),
    [
        ({"title": ""}, "title = ''"),
        ({"lesson": "lore"}, "lesson = 'lore': unknown lesson; did you mean lora?"),
        ({"run": "../../etc"}, "run = '../../etc': not the id of a run or race"),
        ({"pages": ["own"]}, "pages.0 = 'own': no page that a class may see; known: learn, play"),
        ({"pages": ["play", "run"]}, r"pages.1 = 'run': no page that a class may see; did you mean runs\?"),
        ({"pages": []}, "pages = \\[\\]"),
        ({"hidden": ["nothing"]}, "^hidden = 'nothing': no control of Play; take it out"),
        ({"hidden": ["planted.noises"]}, "'planted.noises': no control of Play; did you mean planted.noise?"),
        (
            {"locked": {"weight_decay": 0.1}},
            "^locked.weight_decay = 0.1: no control of Play; take it out, or name",
        ),
        ({"locked": {"text.model": "/etc"}}, "^locked.text.model = '/etc': no control of Play"),
        ({"locked": {"warmup": -1}}, "warmup = -1: input should be greater"),
        ({"locked": {"task": "nothing"}}, "task = 'nothing': unknown task"),
        ({"locked": {"method": ["nothing"]}}, "give a list of triadaptlora"),
        ({"more": 1}, "more: unknown field"),
    ],
)
def test_wrong_settings_are_said_in_one_line(wrong: dict[str, object], line: str) -> None:
    with pytest.raises(ConfigError, match=line):
        parse_class(wrong)


@pytest.mark.parametrize("text", ["title = ", "title = 3", "lesson = 'x'", "\0", "pages = ['own']"])
def test_a_damaged_file_is_one_clear_line(tmp_path: Path, text: str) -> None:
    path = class_file(tmp_path, "spring")
    path.parent.mkdir()
    path.write_text(text)
    with pytest.raises(RunError, match=r"^class spring is damaged, [^\n]+; save it again or delete spring\.toml$"):
        read_class(tmp_path, "spring")


@given(st.text(max_size=40))
def test_no_code_leaves_its_folder(text: str) -> None:
    if is_code(text):
        assert class_file(Path("/runs"), text).parent == Path("/runs/classes")
    else:
        with pytest.raises(RunError):
            checked_code(text)


def test_codes_and_keys_are_made_as_they_are_checked() -> None:
    assert all(is_code(new_code()) and is_key(new_key()) for _ in range(100))
    key = new_key()
    assert same_key(key, key) and not same_key(key[:-1], key) and not same_key("", "") and not same_key("é", key)


def test_a_server_whose_key_is_no_key_has_a_class_and_no_teacher(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(CODE, raising=False)
    assert served_class() is None
    monkeypatch.setenv(CODE, "../x")
    monkeypatch.setenv(KEY, "short")
    served = served_class()
    assert served is not None and served.code == "class" and not same_key("short", served.key)
    assert not same_key("", served.key)


@pytest.mark.parametrize("task", [name for name in TASKS if name not in TASKS_IN_CLASS])
def test_students_train_no_task_that_reads_a_path(task: str) -> None:
    config = parse_config({"task": task, **_least(task)})
    assert refusals([config], {}, ()) == [f"task = {task!r}: not in a class; choose planted or text"]


def _least(task: str) -> dict[str, object]:
    needed = {"files": {"train": "x.csv"}, "hub": {"dataset": "a/b"}, "qa": {"train": "x.json"}}
    return {task: needed.get(task, {"train": "x.txt", "model": "m"})}


def test_no_task_of_a_class_takes_a_text_of_anybodys_choosing() -> None:
    for task in TASKS_IN_CLASS:
        for name in free_texts(task):
            data = {"task": task, task: {name.partition(".")[2]: "/etc"}}
            try:
                config = parse_config(data)
            except ConfigError:
                continue
            assert any(line.startswith(f"{name} = ") for line in refusals([config], {}, ())), name
    assert not refusals([parse_config({"task": task}) for task in TASKS_IN_CLASS if task == "planted"], {}, ())


def test_what_is_locked_hidden_or_too_large_is_refused() -> None:
    config = parse_config({"warmup": 30, "interval": 7, "steps": 5000, "threads": 4, "planted": {"width": 512}})
    assert refusals([config], {"warmup": 20}, ["interval"]) == [
        "warmup = 30: fixed by the teacher at 20", "interval = 7: 20 in this class", "threads = 4: 0 in this class",
        f"steps = 5000: at most {MOST['steps']} in a class", "planted.width = 512: at most 128 in a class",
    ]  # fmt: skip
    fixed = {"warmup": 30, "interval": 7, "steps": 5000, "threads": 4, "planted.width": 512, "text.train_rows": 9}
    assert refusals([config], fixed, ["interval", "method"]) == []
    assert refusals([config], {**fixed, "method": ["lora"]}, ()) == ["method: fixed by the teacher at lora"]
    most = len(METHODS)
    too_many = [f"{most + 1} runs in a race: at most {most} in a class"]
    assert refusals([config] * (most + 1), fixed, ()) == too_many


HARMLESS = {
    "a number that is computed with": (
        "seed", "alpha", "learning_rate", "weight_decay", "max_grad_norm", "adapter_dropout", "planted.strength",
        "planted.noise", "planted.planted_fraction", "text.head_dropout", "adalora.beta1", "adalora.beta2",
        "adalora.orthogonality", "increlora.beta1", "increlora.beta2", "increlora.orthogonality",
        "surm.lr_scale", "tiedlora.lr_scale", "vera.lr_scale", "loha.lr_scale", "adamss.lr_scale", "qlora.lr_scale",
        "vera.d_initial", "adamss.importance_beta", "adamss.uncertainty_beta", "adamss.schedule_exponent",
    ),
    "a share of the steps, or a place among them": ("warmup", "lr_warmup", "adalora.final_share", "adamss.final_share"),
    "one event a step at most, whose cost the limits on ranks and matrices bound": ("interval",),
    "a few numbers a matrix, at most once a step": ("scores_every",),
    "no more than there are matrices": ("top_h",),
    "divides the width, at the same cost": ("planted.heads", "surm.factor"),
}  # fmt: skip


def _numbers() -> dict[str, str]:
    """Every field of what a class may train that holds a number, with the task to set it under."""
    found = {}
    for name, field in RunConfig.model_fields.items():
        if field.annotation in (int, float):
            found[name] = "planted"
        elif name in (*METHODS, *TASKS_IN_CLASS):
            section = (TASKS.get(name) or METHODS[name]).settings_class()
            for inner, one in section.model_fields.items():
                if one.annotation in (int, float):
                    found[f"{name}.{inner}"] = name if name in TASKS else "planted"
    return found


def test_every_number_that_a_student_may_send_is_bounded_or_harmless() -> None:
    harmless = [name for names in HARMLESS.values() for name in names]
    limited = {*MOST, *LEAST, *OF_THE_MACHINE}
    assert len(harmless) == len(set(harmless)) and not limited & set(harmless)
    assert {*_numbers()} == {*limited & _numbers().keys(), *harmless}
    assert not {*MOST, *LEAST} - _numbers().keys()


@pytest.mark.parametrize("name", [*MOST, *LEAST])
def test_a_number_beyond_its_bound_is_one_line_and_its_default_is_none(name: str) -> None:
    task, section = _numbers()[name], name.partition(".")[0]
    method = section if section in METHODS else "lora"
    bound, word = (MOST[name], "most") if name in MOST else (LEAST[name], "least")
    beyond = bound + 4 if name in MOST else bound - 4  # a width is a multiple of the heads
    for value, lines in ((bound, []), (beyond, [f"{name} = {beyond:g}: at {word} {bound:g} in a class"])):
        data: dict[str, object] = {"task": task, "method": method, "batch_size": 8}
        put_value(data, name, value)
        said = refusals([parse_config(data)], {"batch_size": 8} if name != "batch_size" else {}, ())
        assert [line.replace(".0:", ":") for line in said] == lines
    for own in TASKS_IN_CLASS:
        assert refusals([parse_config({"task": own, "method": one}) for one in METHODS], {}, ()) == []


def test_the_text_task_has_bounds_of_its_own() -> None:
    config = parse_config({"task": "text", "steps": 301, "eval_every": 24})
    assert refusals([config], {}, ()) == [
        f"steps = 301: at most {MOST_OF_TEXT['steps']} in a class",
        f"eval_every = 24: at least {LEAST_OF_TEXT['eval_every']} in a class",
    ]


def test_every_control_can_be_locked_and_hidden_and_is_a_field() -> None:
    locked = {name: standard_of("planted", name) for name in CONTROLS if name != "method"} | {"method": ["lora"]}
    settings = parse_class({"locked": locked, "hidden": list(CONTROLS)})
    assert set(settings.locked) == set(settings.hidden) == set(CONTROLS)


def test_links_and_their_pictures() -> None:
    link = student_link("http://10.0.0.5:8501/", "spring")
    assert link == "http://10.0.0.5:8501/?class=spring"
    assert student_link("http://10.0.0.5:8501/app/", None) == "http://10.0.0.5:8501/app/"
    assert teacher_link("http://10.0.0.5:8501", "k" * 16).endswith(":8501/?teacher=" + "k" * 16)
    assert other_host("http://localhost:8501/app/", "10.0.0.5") == "http://10.0.0.5:8501/app/"
    assert qr_svg(link).startswith("<svg ") and "xmlns" in qr_svg(link, inline=False)
    assert qr_png(link).startswith(b"\x89PNG") and "█" in qr_terminal(link)


@pytest.mark.parametrize(
    ("url", "local"),
    [
        ("http://localhost:8501/", True), ("http://127.0.0.1:8501", True), ("http://[::1]:8501", True),
        ("http://0.0.0.0:8501", True), ("http://192.168.1.4:8501", False), ("http://pc-12.school:8501", False),
    ],
)  # fmt: skip
def test_which_addresses_lead_nowhere(url: str, local: bool) -> None:
    assert is_local(url) is local


def test_a_place_has_a_new_number_when_it_moves_and_only_then() -> None:
    code = new_code()
    following.move(code, "learn", "lora")
    first = following.place_of(code)
    following.move(code, "learn", "lora")
    assert following.place_of(code) == first
    following.turn(code, True)
    following.move(code, "play", run="healthy-race")
    now = following.place_of(code)
    assert now.on and (now.page, now.lesson, now.run) == ("play", "", "healthy-race") and now.number > first.number


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--port", "0"], "port = '0': must be a whole number from 1 to 65535"),
        (["--port", "8x"], "port = '8x': must be a whole number"),
        (["--address", "school"], "address = 'school': give an address of this machine"),
        (["--code", "../x"], "class = '../x': give 3 to 32 small letters"),
        (["--lesson", "lore"], "lesson = 'lore': unknown lesson; did you mean lora?"),
    ],
)
def test_the_command_says_what_is_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], line: str
) -> None:
    assert cli.main(["class", "--runs", str(tmp_path), *arguments]) == 2
    said = capsys.readouterr().err
    assert line in said and said.count("\n") == 1


def test_the_command_opens_the_class_and_ends_with_it(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "triadapt", "class", "--json", "--runs", str(tmp_path), "--address", "127.0.0.1"]
    command += ["--port", str(_free_port()), "--title", "Spring"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        links = json.loads(process.stdout.readline())
        try:
            with urllib.request.urlopen(links["students"], timeout=30) as answer:
                assert answer.status == 200
            assert links["teacher"].startswith(f"{links['students']}?teacher=")
            assert read_class(tmp_path, links["class"]).title == "Spring"
        finally:
            os.kill(process.pid, signal.SIGTERM)
        assert process.wait(60) == 0
    with pytest.raises(OSError):
        urllib.request.urlopen(links["students"], timeout=5)


@pytest.mark.parametrize("option", ["maxUploadSize", "maxMessageSize"])
def test_what_a_browser_may_send_is_bounded_both_ways(option: str) -> None:
    command = server_command("127.0.0.1", 8501)
    assert command[command.index(f"--server.{option}") + 1] == str(LARGEST_MESSAGE)
    assert isinstance(get_option(f"server.{option}"), int)  # raises where Streamlit has none of that name


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
