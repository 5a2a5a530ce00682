"""The pages as Streamlit runs them, without a browser and without a worker."""

from __future__ import annotations

import io
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from drawn import words
from stand_in import Manager, errors
from streamlit.testing.v1 import AppTest

from triadapt.config import parse_config
from triadapt.events import Checkpointed, Failed, Finished, Matrix, RankEvent, Started, Step
from triadapt.methods.registry import AT_FIRST, METHODS
from triadapt.runs.bundle import import_bundle, recorded_races
from triadapt.runs.library import find, new_race
from triadapt.runs.store import RunStore
from triadapt.ui import downloads
from triadapt.ui.control_fields import OF_METHOD
from triadapt.ui.titles import run_title

ROOT = Path(__file__).parent.parent.parent


def test_a_first_visit_has_all_controls_and_a_recorded_race(visit: Callable[..., AppTest]) -> None:
    app = visit()
    assert not app.error
    assert app.slider(key="warmup").value == 60
    assert app.number_input(key="steps").value == 600
    assert any("watch which method puts its rank there" in words(caption) for caption in app.caption)
    assert not app.button(key="run_button").disabled
    assert app.button(key="pause_button").disabled and app.button(key="stop_button").disabled


def test_run_submits_one_configuration_a_method_with_the_values_on_the_page(
    visit: Callable[..., AppTest], manager: Manager
) -> None:
    app = visit()
    app.slider(key="warmup").set_value(30)
    app.number_input(key="seed").set_value(3)
    app.button(key="run_button").click().run()
    assert not app.exception
    (configs,) = manager.submitted
    assert [config.method for config in configs] == list(AT_FIRST)
    assert {(config.warmup, config.seed, config.steps) for config in configs} == {(30, 3, 600)}
    assert app.query_params["run"]


def test_every_method_there_is_can_be_chosen_and_started(visit: Callable[..., AppTest], manager: Manager) -> None:
    app = visit(method=list(METHODS))
    assert not app.exception and not app.error and not app.button(key="run_button").disabled
    flags = {field.key for fields in OF_METHOD.values() for field in fields if field.flag}
    assert flags and {toggle.key for toggle in app.toggle} >= flags
    app.toggle(key="adamss.adaptive").set_value(False)
    app.button(key="run_button").click().run()
    (configs,) = manager.submitted
    assert [config.method for config in configs] == list(METHODS)
    assert next(config for config in configs if config.method == "adamss").method_settings.adaptive is False
    again = visit(**{"method": ["adamss"], "adamss.adaptive": "false"})
    assert again.toggle(key="adamss.adaptive").value is False and not again.error


def test_a_race_that_cannot_start_says_why(visit: Callable[..., AppTest], manager: Manager) -> None:
    app = visit()
    manager.error = "the disk is full"
    app.button(key="run_button").click().run()
    assert "the disk is full" in errors(app)


def test_another_task_brings_its_own_defaults(visit: Callable[..., AppTest]) -> None:
    app = visit()
    app.selectbox(key="task").set_value("text").run()
    assert app.number_input(key="steps").value == 150
    assert app.slider(key="reference_rank").value == 4
    assert app.number_input(key="text.train_rows").value == 6000


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("steps", "many", "steps = 'many' in the address: must be a whole number from 10 to 100000"),
        ("learning_rate", "-1", "learning_rate = '-1' in the address: must be from 1e-06 to 1"),
        ("growth", "cubic", "growth = 'cubic' in the address: known are linear, non-linear, fixed"),
        ("method", "lore", "method = 'lore' in the address: known are triadaptlora"),
        ("task", "chess", "task = 'chess' in the address: known are planted, text"),
        ("run", "../../secret", "'../../secret' is not the id of a run or race"),
        ("run", "20260101-000000-abcd", "there is no run or race '20260101-000000-abcd'"),
    ],
)
def test_a_wrong_value_in_the_address_gets_one_line_and_the_page_works(
    visit: Callable[..., AppTest], manager: Manager, name: str, value: str, said: str
) -> None:
    app = visit(**{name: value})
    assert len(app.error) == 1 and said in errors(app)
    assert not manager.submitted and not manager.runs.exists()
    assert not app.button(key="run_button").disabled


def test_an_impossible_combination_names_field_value_and_fix_and_disables_run(visit: Callable[..., AppTest]) -> None:
    app = visit(warmup="580")
    assert "AdaLoRA: Warm-up (warmup) = 580: AdaLoRA's budget is final from step 450 on" in errors(app)
    assert app.button(key="run_button").disabled


def test_files_that_are_not_there_or_lack_the_columns_are_said_beside_the_field_and_run_is_off(
    visit: Callable[..., AppTest], tmp_path: Path
) -> None:
    app = visit()
    app.selectbox(key="task").set_value("files").run()
    assert not app.error and app.button(key="run_button").disabled  # there was no time to type it
    assert "Name a file of training rows" in "".join(str(words(info)) for info in app.info)
    app.text_input(key="files.train").set_value(str(tmp_path / "none.csv")).run()
    assert "no such file" in errors(app) and app.button(key="run_button").disabled
    sidebar = [words(caption) for caption in app.sidebar.caption]
    assert f":material/error: '{tmp_path / 'none.csv'}': no such file" in sidebar
    (tmp_path / "rows.csv").write_text("review,label\n" + "".join(f"row {i},{i % 2}\n" for i in range(200)))
    app.text_input(key="files.train").set_value(str(tmp_path / "rows.csv")).run()
    assert len(app.error) == 1 and "no such column" in errors(app) and "it has review, label" in errors(app)
    assert app.button(key="run_button").disabled
    app.text_input(key="files.text").set_value("review").run()
    assert not app.error and not app.button(key="run_button").disabled
    assert not any("material/error" in words(caption) for caption in app.sidebar.caption)


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("steps", 5, "Steps = 5: must be from 10 to 100000"),
        ("learning_rate", 2.0, "Learning rate (learning_rate) = 2.0: must be from 1e-06 to 1"),
        ("seed", -1, "Seed = -1: must be from 0 to 2147483647"),
    ],
)
def test_a_number_outside_its_bounds_stands_as_typed_is_named_and_disables_run(
    visit: Callable[..., AppTest], manager: Manager, key: str, value: float, said: str
) -> None:
    app = visit()
    app.number_input(key=key).set_value(value).run()
    assert app.number_input(key=key).value == value and [words(error) for error in app.error] == [said]
    assert app.button(key="run_button").disabled
    app.number_input(key=key).set_value(20 if key == "steps" else 1).run()
    assert said not in errors(app)


def test_a_number_outside_its_bounds_is_still_there_after_another_page(
    visit: Callable[..., AppTest],
) -> None:
    app = visit()
    app.number_input(key="steps").set_value(5).run()
    app.switch_page("pages/runs.py").run()
    app.switch_page("pages/play.py").run()
    assert app.number_input(key="steps").value == 5 and "Steps = 5" in errors(app)
    assert app.button(key="run_button").disabled


def test_no_method_is_named_as_the_reason_why_run_is_off(visit: Callable[..., AppTest]) -> None:
    app = visit()
    app.button_group(key="method").set_value([]).run()
    assert "method: choose at least one" in errors(app)
    assert app.button(key="run_button").disabled


def failed_run(runs: Path) -> str:
    race = new_race(runs, [parse_config({"method": "lora", "steps": 10})])
    with RunStore.open(race.folders[0]) as store:
        store.append(Failed(3, "out of memory", "Traceback: line 1"))
    return race.id


def test_a_failed_run_shows_its_error_and_can_be_resumed(visit: Callable[..., AppTest], manager: Manager) -> None:
    race = failed_run(manager.runs)
    app = visit(run=race)
    assert "LoRA failed" in errors(app) and "out of memory" in errors(app)
    assert app.code[0].value == "Traceback: line 1"
    app.button(key="resume_button").click().run()
    assert manager.resumed == [race]


@pytest.mark.parametrize("ours", [True, False])
def test_a_race_of_another_process_is_shown_but_cannot_be_held(
    visit: Callable[..., AppTest], manager: Manager, ours: bool
) -> None:
    race = new_race(manager.runs, [parse_config({"method": "lora", "steps": 10})])
    manager.ours = [race.id] if ours else []
    with RunStore.open(race.folders[0]) as store:
        store.set_state("running")
        app = visit(run=race.id)
    assert [app.button(key=f"{name}_button").disabled for name in ("pause", "step", "event", "stop")] == [not ours] * 4
    assert any("run by another process" in words(caption) for caption in app.caption) is not ours


def test_races_of_one_second_have_names_of_their_own_and_each_can_be_chosen(
    visit: Callable[..., AppTest], manager: Manager, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SimpleNamespace(strftime=lambda *_: "22 Nov 10:00:00", localtime=time.localtime)
    monkeypatch.setattr("triadapt.ui.titles.time", clock)
    races = [failed_run(manager.runs) for _ in range(3)]
    app = visit(run=races[0])
    for race in (races[1], races[2], races[0]):
        (chooser,) = [box for box in app.selectbox if str(box.key).startswith("chooser-")]
        assert len(set(chooser.options)) == len(chooser.options)
        chooser.set_value(race).run()
        assert race in app.query_params["run"]


def test_an_empty_race_in_the_address_is_none_at_all(visit: Callable[..., AppTest]) -> None:
    app = visit(run="")
    assert not app.error and "run" not in app.query_params


def test_a_message_goes_with_the_race_it_was_about(visit: Callable[..., AppTest], manager: Manager) -> None:
    race = failed_run(manager.runs)
    app = visit(run="20260101-000000-abcd")
    assert "there is no run or race" in errors(app)
    next(box for box in app.selectbox if str(box.key).startswith("chooser-")).set_value(race).run()
    assert "there is no run or race" not in errors(app)


def test_a_race_that_is_active_but_gone_is_told_once(visit: Callable[..., AppTest], manager: Manager) -> None:
    manager.ours = ["20260101-000000-abcd"]
    app = visit()
    assert len(app.error) == 1 and "there is no run or race" in errors(app)


def test_a_damaged_file_is_shown_as_damaged_and_the_rest_works(visit: Callable[..., AppTest], manager: Manager) -> None:
    race = failed_run(manager.runs)
    other = new_race(manager.runs, [parse_config({"method": "lora", "steps": 10})])
    (other.folders[0] / "run.db").write_bytes(b"this is no database, it is a letter to the editor" * 100)
    app = visit(run=other.id)
    assert "is damaged" in errors(app)
    app = visit("pages/runs.py")
    states = list(app.dataframe[0].value["State"])
    assert any(state.startswith("damaged") for state in states)
    assert any(state.startswith("failed") for state in states)
    assert "LoRA failed" in errors(visit(run=race))


def test_the_runs_page_without_runs_says_what_to_do(visit: Callable[..., AppTest]) -> None:
    app = visit("pages/runs.py")
    assert "No runs yet" in app.info[0].value


def with_checkpoint(runs: Path) -> str:
    race = new_race(runs, [parse_config({"method": "lora", "steps": 10})])
    (race.folders[0] / "checkpoints").mkdir()
    (race.folders[0] / "checkpoints" / "step-0000009.safetensors").write_bytes(b"a checkpoint that cannot be read")
    return race.folders[0].name


def test_weights_are_offered_where_there_is_a_checkpoint(
    visit: Callable[..., AppTest], manager: Manager, monkeypatch: pytest.MonkeyPatch
) -> None:
    new_race(manager.runs, [parse_config({"method": "lora", "steps": 10})])
    app = visit("pages/runs.py")
    app.session_state["chosen_run"] = app.dataframe[0].value["Id"][0]
    app.run()
    assert not [control for control in app.segmented_control if control.key == "weights_kind"]
    app.session_state["chosen_run"] = with_checkpoint(manager.runs)
    app.run()
    assert app.segmented_control("weights_kind").options == ["adapter", "lora", "merged"]
    app.segmented_control("weights_kind").set_value("lora").run()
    made: list[tuple[Any, ...]] = []

    def export_elsewhere(*given: Any) -> None:
        made.append(given)
        given[2].mkdir()
        (given[2] / "README.md").write_text("how to load")

    monkeypatch.setattr("triadapt.ui.downloads._export_elsewhere", export_elsewhere)
    app.button("prepare").click().run()
    assert not app.exception and [given[3] for given in made] == ["lora"]
    assert app.get("download_button")[-1].label.startswith("Download ")
    app.segmented_control("weights_kind").set_value("merged").run()
    assert [button.label for button in app.get("download_button")] == ["Download"]


def test_data_and_pictures_are_made_when_they_are_asked_for(
    visit: Callable[..., AppTest], manager: Manager, monkeypatch: pytest.MonkeyPatch
) -> None:
    (path,) = [race.path for race in recorded_races() if race.slug == "healthy-race"]
    names = import_bundle(manager.runs, path)
    race = names[0].rpartition("-")[0]
    asked: list[Any] = []
    made = downloads.export
    monkeypatch.setattr(downloads, "export", lambda *given, **more: (asked.append(given[2]), made(*given, **more))[1])
    app = visit("pages/runs.py")
    app.session_state["chosen_run"] = names[0]
    app.run()
    forms = ["csv", "parquet", "replay", "figure", "json", "bundle", "tensorboard"]
    assert app.segmented_control("export_kind").options[:7] == forms
    assert app.checkbox("export_race").value and app.get("download_button")[0].label == "Download"
    app.segmented_control("export_kind").set_value("figure").run()
    assert not app.get("download_button") and not app.get("plotly_chart") and not asked
    app.button("draw_picture").click().run()
    app.selectbox("picture_width").set_value("one column").run()
    assert not app.exception and len(app.get("plotly_chart")) == 1
    assert app.get("download_button")[0].label == "Download SVG"
    app.checkbox("export_race").set_value(False).run()
    assert not app.get("plotly_chart")  # what was drawn is another picture
    csv = zipfile.ZipFile(io.BytesIO(downloads.taken(cast(Any, manager), race, "csv")))
    assert f"{race}/ranks.csv" in csv.namelist() and asked == [["csv"]]
    assert downloads.taken(cast(Any, manager), names[0], "replay").startswith(b"<!doctype html>")


def test_weights_that_cannot_be_made_say_why(visit: Callable[..., AppTest], manager: Manager) -> None:
    app = visit("pages/runs.py")
    app.session_state["chosen_run"] = with_checkpoint(manager.runs)
    app.run()
    app.segmented_control("weights_kind").set_value("adapter").run()
    app.button("prepare").click().run()
    assert not app.exception
    assert "the weights cannot be exported" in errors(app) and "not a readable checkpoint" in errors(app)
    assert len(errors(app).splitlines()) == 1


def test_the_address_of_a_page_leads_there_on_a_server_that_never_ran_the_front_door(manager: Manager) -> None:
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    app.switch_page("pages/runs.py").run()
    assert not app.exception
    assert "entered" in app.session_state and "wanted_page" not in app.session_state
    assert "No runs yet" in app.info[0].value


def grown(runs: Path, name: str | None = None) -> str:
    """A finished run of 40 steps with rank events and checkpoints at steps 10 and 20. Returns the race."""
    config = parse_config({"steps": 40, "warmup": 5, "interval": 10, "reference_rank": 2})
    race = new_race(runs, [config], name)
    place = race.folders[0]
    (place / "checkpoints").mkdir()
    matrices = [Matrix(f"m{i}", i, "q", (8, 8), None) for i in range(4)]
    with RunStore.open(place) as store:
        store.append(
            Started(0, config.as_dict(), matrices, "triadaptlora", "planted", "grows", "triangular", "loss", False, 40,
                    4, 8, 64, [10, 20, 30], "cpu")
        )  # fmt: skip
        for step in range(40):
            store.append(Step(step, 1.0, 0.001))
            if step in (10, 20):
                total = 4 + step // 10
                store.append(RankEvent(step, "linear", 0.1, 1, [0], total, 64, 0, *[np.ones(4)] * 3))
                file = f"step-{step:07d}.safetensors"
                (place / "checkpoints" / file).write_bytes(b"weights")
                store.append(Checkpointed(step, file))
        store.append(Finished(39, {"loss": 1.0}))
    return race.id


def open_branch(app: AppTest) -> AppTest:
    """Open the popover."""
    app.session_state[f"branch-{app.session_state['on_view'].turn}"] = True
    return app.run()


def captions(app: AppTest) -> str:
    return "\n".join(words(caption) for caption in app.caption)


@pytest.mark.parametrize(
    ("seen", "offered", "said"),
    [
        (25, 20, "Step 25 is on view; this is the newest checkpoint up to it."),
        (20, 20, ""),
        (19, 10, "Step 19 is on view; this is the newest checkpoint up to it."),
        (3, 10, "Step 3 is on view; this is the first checkpoint."),
        (None, 20, ""),
    ],
)
def test_a_branch_begins_at_the_checkpoint_of_the_step_on_view(
    visit: Callable[..., AppTest], manager: Manager, monkeypatch: pytest.MonkeyPatch, seen: int | None, offered: int,
    said: str,
) -> None:  # fmt: skip
    race = grown(manager.runs)
    run = f"{race}-triadaptlora"
    monkeypatch.setattr("triadapt.ui.branching.board_on_view", lambda key: (seen, run))
    app = open_branch(visit(run=race))
    assert app.selectbox(f"branch-{run}-from-{seen}").value == offered
    assert said in captions(app) and (said or "is on view" not in captions(app))


def test_a_branch_of_the_race_on_view_is_checked_started_and_shown(
    visit: Callable[..., AppTest], manager: Manager
) -> None:
    race = grown(manager.runs)
    run = f"{race}-triadaptlora"
    app = open_branch(visit(run=race))
    assert app.selectbox(f"branch-{run}-from-None").options == [
        "step 20, event 2, total rank 6",
        "step 10, event 1, total rank 5",
    ]
    assert "Nothing changed: it will repeat the run.  \n1 rank event to come, at step 30; total rank 6" in captions(app)
    app.number_input(f"branch-{run}-steps").set_value(15).run()
    assert "Steps = 15: 21 are done at the checkpoint of step 20; raise steps" in errors(app)
    assert app.button("branch_button").disabled
    app.number_input(f"branch-{run}-steps").set_value(60)
    app.number_input(f"branch-{run}-interval").set_value(7)
    app.selectbox(f"branch-{run}-from-None").set_value(10).run()
    assert not app.error and "Interval 10 -> 7" in captions(app) and "Steps 40 -> 60" in captions(app)
    manager.error = "the app is closing"
    app.button("branch_button").click().run()
    assert errors(app) == "The branch could not be started: the app is closing"
    manager.error = ""
    app.button("branch_button").click().run()
    assert not app.exception
    (made,) = np.atleast_1d(app.query_params["run"])
    assert made != race
    info = find(manager.runs, made)[0]
    assert info.branched_from is not None and info.branched_from.changes == {"steps": (40, 60), "interval": (10, 7)}
    assert f"Branched from {run_title(find(manager.runs, race)[0])} at step 10: " in captions(app)
    assert app.toggle("parent").value and app.session_state["drawn_states"] == ["queued", "finished"]
    app.toggle("parent").set_value(False).run()
    assert app.session_state["drawn_states"] == ["queued"]
    assert (manager.runs / info.id / "checkpoints" / "step-0000010.safetensors").read_bytes() == b"weights"
    app.button(f"open-parent-{info.id}").click().run()
    assert race in app.query_params["run"]
    assert app.button(f"open-branch-{info.id}").label.startswith("TriAdaptLoRA from step 10: Steps 40 -> 60")
    app.button(f"open-branch-{info.id}").click().run()
    assert made in app.query_params["run"]
    app.switch_page("pages/runs.py").run()
    # Races of one second are in no order.
    parent, branch = sorted(app.dataframe[0].value["From"])
    assert not parent and ", step 10: Steps 40 -> 60" in branch
