"""Import on the Runs page, and what came in on Play and Compare."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from drawn import words
from stand_in import Manager
from streamlit.testing.v1 import AppTest

from tests.unit.foreign_files import adalora_log, lora_adapter, pruned_ranks
from triadapt.imports.any_path import import_path
from triadapt.runs.info import RunError
from triadapt.runs.library import list_runs
from triadapt.ui.importing import import_uploads


def bring(app: AppTest, path: object) -> AppTest:
    app.text_input(key="import_path_text").set_value(str(path))
    next(button for button in app.button if button.label == "Import the path").click()
    return app.run()


def id_of(manager: Manager, name: str) -> str:
    return next(info.id for info in list_runs(manager.runs) if info.name == name)


def test_what_came_in_by_its_path_is_chosen(
    visit: Callable[..., AppTest],
    manager: Manager,
    tmp_path: Path,
) -> None:
    app = visit("pages/runs.py")
    adalora_log(tmp_path / "log", pruned_ranks())
    lora_adapter(tmp_path / "mine")
    for place, name in (("log", "AdaLoRA, log"), ("mine", "LoRA, mine")):
        bring(app, tmp_path / place)
        assert not app.exception and not app.error
        assert app.session_state["chosen_run"] == id_of(manager, name)
        assert any(text.value.startswith(f"{name} · ") for text in app.text)
        assert "What if" not in [button.label for button in app.button]  # nothing tells its schedule


def test_what_cannot_come_in_costs_one_line(
    visit: Callable[..., AppTest],
    manager: Manager,
    tmp_path: Path,
) -> None:
    app = visit("pages/runs.py")
    (tmp_path / "empty").mkdir()
    for path, line in {
        "": "path is empty; name a file or folder on this machine",
        tmp_path / "<b>": f"{tmp_path}/<b>: there is no such file or folder",
        tmp_path / "empty": f"{tmp_path}/empty: an empty folder; expected a bundle",
    }.items():
        bring(app, path)
        (error,) = app.error
        assert words(error).startswith(line) and not app.exception
    assert not list_runs(manager.runs)


def test_play_and_compare_show_a_log_and_an_adapter(
    visit: Callable[..., AppTest],
    manager: Manager,
    tmp_path: Path,
) -> None:
    (log,) = import_path(manager.runs, adalora_log(tmp_path / "log", pruned_ranks()))
    (adapter,) = import_path(manager.runs, lora_adapter(tmp_path / "mine", list(range(1, 9))))
    for run in (log, adapter):
        app = visit(run=run)
        assert not app.exception and not app.error
        assert app.button(key="resume_button").disabled
        assert not any("What if?" in caption.value for caption in app.caption)
    app = visit("pages/compare.py", runs=f"{log},{adapter}")
    assert not app.exception and not app.error
    app = visit("pages/tune.py", tab="What if", run=log)
    assert not app.exception
    assert any("tells nothing of its schedule" in words(one) for one in [*app.error, *app.info, *app.warning])


@dataclass
class Upload:
    """A file as the browser brings it."""

    name: str
    data: bytes

    def getvalue(self) -> bytes:
        return self.data


def test_uploads_are_called_as_they_were_and_never_paths(tmp_path: Path) -> None:
    (file,) = adalora_log(tmp_path / "log", pruned_ranks()).iterdir()
    runs = tmp_path / "runs"
    import_uploads(runs, [Upload("../<i>x</i>", file.read_bytes())])
    other = Upload("second", b"")
    import_uploads(runs, [Upload(file.name, file.read_bytes()), other])
    assert sorted(info.origin for info in list_runs(runs)) == sorted(
        ["imported from ../<i>x</i>", f"imported from {file.name} and 1 more"]
    )
    with pytest.raises(RunError, match=r"^../evil\n?.*: not a bundle") as refused:
        import_uploads(runs, [Upload("../evil", b"x" * 100)])
    assert str(tmp_path) not in str(refused.value)
    assert {path.name for path in tmp_path.iterdir()} == {"log", "runs"}
