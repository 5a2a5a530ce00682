import math
from pathlib import Path
from typing import Any

import pytest

from triadapt.config import ConfigError, RunConfig, load_toml, parse_config, set_value
from triadapt.methods.registry import METHODS
from triadapt.tasks.registry import TASKS

WRONG: list[tuple[dict[str, Any], str, str]] = [
    ({"steps": 0}, "steps = 0:", "greater than or equal to 1"),
    ({"steps": 2_000_000}, "steps = 2000000:", "less than or equal to 1000000"),
    ({"steps": "many"}, "steps = 'many':", "valid integer"),
    ({"steps": 1.5}, "steps = 1.5:", "valid integer"),
    ({"steps": None}, "steps = None:", "valid integer"),
    ({"seed": -1}, "seed = -1:", "greater than or equal to 0"),
    ({"seed": 2**31}, "seed = 2147483648:", "less than 2147483648"),
    ({"learning_rate": 0}, "learning_rate = 0:", "greater than 0"),
    ({"learning_rate": math.nan}, "learning_rate = nan:", "finite number"),
    ({"learning_rate": math.inf}, "learning_rate = inf:", "finite number"),
    ({"max_grad_norm": math.inf}, "max_grad_norm = inf:", "finite number"),
    ({"weight_decay": -0.1}, "weight_decay = -0.1:", "greater than or equal to 0"),
    ({"alpha": math.nan}, "alpha = nan:", "finite number"),
    ({"lr_schedule": "cosine"}, "lr_schedule = 'cosine':", "'linear' or 'constant'"),
    ({"growth": "cubic"}, "growth = 'cubic':", "'linear', 'non-linear' or 'fixed'"),
    ({"batch_size": 0}, "batch_size = 0:", "greater than or equal to 1"),
    ({"reference_rank": 0}, "reference_rank = 0:", "greater than or equal to 1"),
    ({"warmup": -1}, "warmup = -1:", "greater than or equal to 0"),
    ({"interval": 0}, "interval = 0:", "greater than or equal to 1"),
    ({"top_h": 0}, "top_h = 0:", "greater than or equal to 1"),
    ({"add_r": 0}, "add_r = 0:", "greater than or equal to 1"),
    ({"device": "tpu"}, "device = 'tpu':", "match pattern"),
    ({"threads": -1}, "threads = -1:", "greater than or equal to 0"),
    ({"method": "triadaptlra"}, "method = 'triadaptlra':", "did you mean triadaptlora? known: triadaptlora, increlora"),
    ({"method": 3}, "method = 3:", "valid string"),
    ({"task": "plantd"}, "task = 'plantd':", "did you mean planted? known: planted, text"),
    ({"task": ["planted"]}, "task = ['planted']:", "valid string"),
    ({"step": 100}, "step:", "unknown field; did you mean steps?"),
    ({"quux": 100}, "quux:", "unknown field; known: method, "),
    ({"planted": 3}, "planted = 3:", "valid dictionary"),
    ({"planted": {"widht": 16}}, "planted.widht:", "unknown field; did you mean width? known: blocks, width"),
    ({"planted": {"width": 4}}, "planted.width = 4:", "greater than or equal to 8"),
    ({"planted": {"strength": math.nan}}, "planted.strength = nan:", "finite number"),
    ({"planted": {"strength": -math.inf}}, "planted.strength = -inf:", "finite number"),
    ({"planted": {"where": "middle"}}, "planted.where = 'middle':", "'random', 'first' or 'last'"),
    ({"increlora": {"beta1": 1.0}}, "increlora.beta1 = 1.0:", "less than 1"),
    ({"increlora": {"orthogonality": math.inf}}, "increlora.orthogonality = inf:", "finite number"),
    ({"adalora": {"orthogonality": math.inf}}, "adalora.orthogonality = inf:", "finite number"),
    ({"adalora": {"init_rank_ratio": 1}}, "adalora.init_rank_ratio = 1:", "greater than 1"),
    ({"adalora": {"final_share": 1}}, "adalora.final_share = 1:", "less than 1"),
    ({"lora": {"rank": 4}}, "lora.rank:", "unknown field"),
    ({"triadaptlora": {"behaviour": "odd"}}, "triadaptlora.behaviour = 'odd':", "'improved'"),
]  # fmt: skip


@pytest.mark.parametrize(("values", "start", "hint"), WRONG, ids=[str(values) for values, _, _ in WRONG])
def test_a_wrong_field_gives_one_line_with_its_name_its_value_and_what_is_allowed(
    values: dict[str, Any], start: str, hint: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config(values)
    (line,) = caught.value.lines
    assert line.startswith(start)
    assert hint in line
    assert "\n" not in line


def test_every_wrong_field_has_its_line() -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config({"steps": 0, "seed": -1, "planted": {"width": 1}, "nonsense": 1})
    assert [line.split(" ")[0].rstrip(":") for line in caught.value.lines] == [
        "steps", "seed", "planted.width", "nonsense",
    ]  # fmt: skip


def test_heads_must_divide_the_width_and_the_line_names_one_that_does() -> None:
    with pytest.raises(ConfigError, match=r"planted.heads = 3: must divide planted.width \(16\); for example 2"):
        parse_config({"planted": {"width": 16, "heads": 3}})


def test_a_batch_must_fit_in_the_pool() -> None:
    with pytest.raises(ConfigError, match=r"batch_size = 65: must not be above planted.pool \(64\)"):
        parse_config({"batch_size": 65, "planted": {"pool": 64}})
    assert parse_config({"batch_size": 64, "planted": {"pool": 64}}).batch_size == 64


def test_a_reference_rank_above_the_smallest_matrix_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"reference_rank = 17: must not be above planted.width \(16\)"):
        parse_config({"reference_rank": 17, "planted": {"width": 16}})


def test_adalora_needs_steps_between_its_warmup_and_its_final_budget() -> None:
    with pytest.raises(ConfigError, match=r"warmup = 75: .* must be below 75"):
        parse_config({"method": "adalora", "steps": 100, "warmup": 75})
    assert parse_config({"method": "adalora", "steps": 100, "warmup": 74}).warmup == 74
    assert parse_config({"method": "lora", "steps": 100, "warmup": 75}).warmup == 75


# What a task cannot do without.
NEEDED = {
    "files": {"files": {"train": "rows.csv"}},
    "hub": {"hub": {"dataset": "owner/name"}},
    "qa": {"qa": {"train": "train.json"}},
    "causal": {"causal": {"train": "text.txt", "model": "owner/decoder"}},
}


@pytest.mark.parametrize("task", TASKS)
def test_a_task_brings_its_defaults_which_the_user_overrules(task: str) -> None:
    config = parse_config({"task": task, **NEEDED.get(task, {})})
    assert {name: getattr(config, name) for name in TASKS[task].defaults} == TASKS[task].defaults
    assert parse_config({"task": task, "steps": 77, **NEEDED.get(task, {})}).steps == 77


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("task", TASKS)
def test_toml_gives_back_an_equal_configuration(method: str, task: str, tmp_path: Path) -> None:
    config = parse_config(
        {"method": method, "task": task, "learning_rate": 1.25e-3, "warmup": 5, **NEEDED.get(task, {})}
    )
    path = tmp_path / "run.toml"
    path.write_text(config.to_toml(), encoding="utf-8")
    assert parse_config(load_toml(path)) == config
    assert set(config.as_dict()) & (set(METHODS) | set(TASKS)) == {method, task}


@pytest.mark.parametrize("method", METHODS)
def test_for_method_changes_the_method_and_nothing_else(method: str) -> None:
    config = parse_config({"steps": 90, "planted": {"width": 32}, "adalora": {"beta1": 0.5}})
    other = config.for_method(method)
    assert other.method == method
    assert other.for_method(config.method) == config
    assert other.method_settings == getattr(config, method)


def test_for_method_checks_the_other_method() -> None:
    with pytest.raises(ConfigError, match="AdaLoRA"):
        parse_config({"steps": 100, "warmup": 90}).for_method("adalora")


def test_a_configuration_cannot_be_changed_in_place() -> None:
    config: RunConfig = parse_config({})
    with pytest.raises(ValueError, match="frozen"):
        config.steps = 3  # type: ignore[misc]


@pytest.mark.parametrize(
    ("assignment", "expected"),
    [
        ("steps=50", {"steps": 50}),
        ("learning_rate = 1e-3", {"learning_rate": 1e-3}),
        ("method=lora", {"method": "lora"}),
        ('method="lora"', {"method": "lora"}),
        ("planted.width=32", {"planted": {"width": 32}}),
        ("increlora.advance_learning=false", {"increlora": {"advance_learning": False}}),
        ("growth=non-linear", {"growth": "non-linear"}),
        ("device=", {"device": ""}),
        ("device=a=b", {"device": "a=b"}),
    ],
)
def test_set_value_reads_toml_where_it_is_toml_and_text_otherwise(assignment: str, expected: dict[str, Any]) -> None:
    data: dict[str, Any] = {}
    set_value(data, assignment)
    assert data == expected


def test_set_value_keeps_what_stands_in_the_section_already() -> None:
    data: dict[str, Any] = {"planted": {"width": 16}}
    set_value(data, "planted.heads=2")
    assert data == {"planted": {"width": 16, "heads": 2}}


@pytest.mark.parametrize("assignment", ["steps", "=5", " = 5", "steps.x=5"])
def test_set_value_refuses_what_is_not_an_assignment(assignment: str) -> None:
    with pytest.raises(ConfigError, match="--set"):
        set_value({"steps": 5}, assignment)


@pytest.mark.parametrize(
    ("content", "message"), [(b"steps = ", "not valid TOML"), (b"\xff\xfe", "not a UTF-8 text file")]
)
def test_a_file_that_is_not_toml_is_named(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=message):
        load_toml(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load_toml(tmp_path / "absent.toml")
