"""What the schedule lab makes of its inputs, and what can be taken from it."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
import train_with_trainer as script

from triadapt.config import ConfigError, load_toml, parse_allocation, parse_config
from triadapt.growth.preview import preview
from triadapt.methods.registry import METHODS
from triadapt.tasks.planted.settings import Settings as PlantedSettings
from triadapt.tasks.text.settings import Settings as TextSettings
from triadapt.views.lab.findings import answer, findings
from triadapt.views.lab.inputs import (
    CHOICES,
    DRAWN,
    NUMBERS,
    address,
    allocation_values,
    defaults,
    lines,
    meaning,
    read_inputs,
    task_modules,
)
from triadapt.views.lab.take_away import peft_snippet, race_toml


def random_inputs(rng: random.Random) -> dict[str, Any]:
    values = defaults(rng.choice(CHOICES["task"]))
    for name, known in CHOICES.items():
        if name != "task":
            values[name] = rng.choice(known)
    for name, one in NUMBERS.items():
        if rng.random() < 0.7 and not (name == "layers" and values["task"] == "text"):
            high = min(one.high, 500)
            values[name] = rng.randint(1, int(high)) if one.step == 1 else round(rng.uniform(one.low, high), 4)
    values["method"] = [name for name in DRAWN if rng.random() < 0.6]
    values["modules"] = rng.choice([values["modules"], "dense 16x4, out 4x16", "up"])
    return values


def test_an_address_brings_back_the_inputs_it_was_made_of() -> None:
    rng = random.Random(1)
    for _ in range(200):
        values = random_inputs(rng)
        if values["method"]:  # an address has no word for an empty list
            assert read_inputs(address(values)) == (values, [])
    assert address(defaults("planted")) == {}
    assert set(address(defaults("own"))) == {"task"}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"warmup": "soon"}, "warmup = 'soon': must be a whole number from 0 to 1,000,000; using 60"),
        ({"interval": "0"}, "interval = '0': must be a whole number from 1 to 1,000,000; using 20"),
        ({"interval": 2.5}, "interval = 2.5: must be a whole number"),
        ({"adalora.final_share": "nan"}, "adalora.final_share = 'nan': must be a number from 0 to 0.99; using 0.25"),
        ({"steps": True}, "steps = True: must be a whole number"),
        ({"growth": "cubic"}, "growth = 'cubic': known are linear, non-linear, fixed; using linear"),
        ({"task": ["x"]}, "task = ['x']: known are planted, text, files, hub, qa, causal, own; using planted"),
        ({"method": ["lore", "lora"]}, "method = 'lore': known are triadaptlora, increlora, adalora, lora; left out"),
    ],
)
def test_a_wrong_input_takes_its_default_and_says_so(given: dict[str, Any], said: str) -> None:
    values, told = read_inputs(given)
    assert len(told) == 1 and told[0].startswith(said)
    assert answer(values)["findings"] == []


def test_the_modules_of_the_tasks_are_those_they_adapt() -> None:
    for task, settings in (("planted", PlantedSettings()), ("text", TextSettings())):
        meant = meaning(defaults(task))
        assert meant.matrices.shapes == settings.matrix_shapes() and not meant.problems
        assert task_modules(task).startswith("q ")


def test_what_means_nothing_is_told_and_its_default_stands_in() -> None:
    values, _ = read_inputs({"task": "own", "modules": "query 5", "from": "epochs", "rows": "1", "drop_last": "yes"})
    told = answer(values)
    assert [line.split(":")[0] for line in told["problems"]] == ["modules = 'query 5'", "rows = 1"]
    assert told["steps"] == values["steps"] and told["counting"] == ""
    values, _ = read_inputs({"from": "epochs", "rows": str(10**12), "batch": "1"})
    assert "more than the 1,000,000 that can be planned here" in answer(values)["problems"][0]


def test_steps_counted_from_epochs_are_those_of_every_line() -> None:
    values, _ = read_inputs({"from": "epochs", "rows": "67349", "batch": "32", "accumulation": "4", "warmup": "3000"})
    told = answer(values)
    assert (told["steps"], told["counting"].split("; ")[-1]) == (1581, "x 3 epochs: 1,581 optimizer steps")
    assert next((one["code"], one["fix"]) for one in told["findings"]) == ("warmup_unit", "Set warm-up to 750")


def test_a_finding_of_several_lines_is_told_once_with_the_fix_in_words() -> None:
    values, _ = read_inputs({"warmup": "700", "modes": "all", "method": ["triadaptlora", "increlora"]})
    (one,) = findings(values)
    assert one["labels"] == ["TriAdaptLoRA (linear)", "TriAdaptLoRA (non-linear)", "TriAdaptLoRA (fixed)", "IncreLoRA"]
    assert (one["changes"], one["fix"]) == ({"warmup": 60}, "Set warm-up to 60")
    values, _ = read_inputs({"behaviour": "reference", "add_r": "5", "method": "increlora"})
    over = next(one for one in findings(values) if one["code"] == "overshoot")
    assert (over["changes"]["behaviour"], over["fix"].split(" and ")[0]) == ("improved", "Set behaviour to improved")


def test_a_fix_pressed_in_the_lab_removes_its_finding() -> None:
    rng = random.Random(2)
    pressed = 0
    for _ in range(20):
        values = random_inputs(rng) | {"processes": rng.choice([1, 1, 2])}
        for finding in findings(values):
            if finding["changes"]:
                after = findings({**values, **finding["changes"]})
                told = {(label, one["code"]) for one in after for label in one["labels"]}
                assert (finding["labels"][0], finding["code"]) not in told, (values, finding)
                pressed += 1
    assert pressed > 20


SHORT = {
    "task": "own", "layers": 2, "modules": "query 16x16, value 16x16", "steps": 12, "warmup": 2, "interval": 2,
    "reference_rank": 3, "top_h": 2, "growth": "fixed", "adalora.init_rank_ratio": 2,
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")
@pytest.mark.filterwarnings("ignore:'pin_memory' argument is set as true:UserWarning")
@pytest.mark.parametrize("counted", [False, True])
@pytest.mark.parametrize("method", DRAWN)
def test_the_snippet_trains_and_allocates_as_the_lab_says(
    method: str, counted: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values, told = read_inputs(SHORT)
    assert not told
    if counted:
        values |= {"from": "epochs", "epochs": 1.5, "rows": 60, "batch": 4, "accumulation": 2}
    steps = meaning(values).steps
    assert steps == 12
    text = peft_snippet(values, method)
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"base": script.base(), "rows": script.rows(60)}
    exec(compile(text, "snippet.py", "exec"), names)
    assert names["trainer"].state.global_step == steps
    config = parse_allocation(allocation_values(values, steps, method, values["growth"]))
    seen = preview(config, 4)
    growth = names["callback"].growth if "callback" in names else None
    happened = [] if growth is None else growth.allocations
    assert [(one.step, one.decision.allowed, int(one.ranks.sum())) for one in happened] == [
        (row["step"], row["allowed"], row["total_rank"]) for row in seen.rows
    ]


def test_the_snippet_says_what_is_published_and_who_pays_for_the_steps() -> None:
    values, _ = read_inputs({"behaviour": "reference", "from": "epochs", "rows": 1000, "drop_last": "yes"})
    text = peft_snippet(values, "triadaptlora")
    assert 'settings={"behaviour": "reference"}' in text and "dataloader_drop_last=True" in text
    assert "# x 3 epochs: 186 optimizer steps" in text
    assert "RankGrowthCallback()" in peft_snippet(values, "adalora")


def test_the_toml_configures_every_method_of_the_lab(tmp_path: Path) -> None:
    rng = random.Random(3)
    written = 0
    for _ in range(60):
        values = random_inputs(rng)
        try:
            text = race_toml(values)
        except ConfigError:
            continue
        written += 1
        path = tmp_path / "schedule.toml"
        path.write_text(text, encoding="utf-8")
        data = load_toml(path)
        steps = meaning(values).steps
        for method in values["method"]:
            config = parse_config({**data, "method": method})
            wanted = parse_allocation(allocation_values(values, steps, method, values["growth"]))
            assert {name: getattr(config, name) for name in type(wanted).model_fields if name not in METHODS} == {
                name: getattr(wanted, name) for name in type(wanted).model_fields if name not in METHODS
            }
            assert config.method_settings == wanted.method_settings
        assert text.splitlines()[0] == f"# triadapt train schedule.toml --method {','.join(values['method'])}"
    assert written > 20


def test_a_toml_that_cannot_be_names_every_field_once() -> None:
    values, _ = read_inputs({"reference_rank": 100, "warmup": 500})
    with pytest.raises(ConfigError) as caught:
        race_toml(values)
    assert any("AdaLoRA: warmup = 500" in line for line in caught.value.lines)
    assert any("planted.width" in line for line in caught.value.lines)
    with pytest.raises(ConfigError, match="method: choose at least one"):
        race_toml({**values, "method": []})
    assert lines({**values, "method": []}) == []  # nothing to draw is no error
