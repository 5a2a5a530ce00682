"""Every recipe is one: it parses, fires its events, reaches its budget, and says what it says of itself."""

import math
import re
from pathlib import Path

import pytest

from triadapt import cli
from triadapt.config import load_toml, parse_config
from triadapt.errors import ConfigError
from triadapt.growth.preview import preview
from triadapt.methods.registry import AT_FIRST, METHODS
from triadapt.recipe import read_recipe

RECIPES = sorted((Path(__file__).parents[2] / "recipes").glob("*.toml"))
MATRICES = 72  # twelve blocks of six


def test_there_is_one_for_each_task_of_the_papers() -> None:
    assert {file.stem for file in RECIPES} >= {"cola", "mnli", "mrpc", "qnli", "qqp", "rte", "sst2", "stsb"}


@pytest.mark.parametrize("file", RECIPES, ids=lambda file: file.stem)
def test_every_method_of_a_recipe_fires_and_reaches_its_budget(file: Path) -> None:
    recipe = read_recipe(load_toml(file))
    assert recipe.methods == list(AT_FIRST) and recipe.seeds == [41, 42, 43, 44, 45]
    for method in recipe.methods:
        config = parse_config({**recipe.values_for(method), "seed": recipe.seeds[0]})
        assert config.task_settings.model == "microsoft/deberta-v3-base"  # type: ignore[attr-defined]
        plan = preview(config, brief=True)
        assert plan.num_matrices == MATRICES
        assert not plan.problems, (method, plan.warnings)
        if METHODS[method].allocation != "fixed":
            assert plan.rows[-1]["total_rank"] == 2 * MATRICES


@pytest.mark.parametrize("file", RECIPES, ids=lambda file: file.stem)
def test_the_steps_are_those_of_the_epochs_it_names(file: Path) -> None:
    said = re.search(r"# ([\d,]+) \w+ in batches of (\d+), (\d+) epochs", file.read_text(encoding="utf-8"))
    assert said is not None
    rows, batch, epochs = (int(number.replace(",", "")) for number in said.groups())
    values = read_recipe(load_toml(file)).values
    assert (values["steps"], values["batch_size"]) == (math.ceil(rows / batch) * epochs, batch)


def test_what_holds_for_one_method_leaves_the_others_alone() -> None:
    recipe = read_recipe(
        {"steps": 9, "adalora": {"beta1": 0.5}, "for": {"adalora": {"steps": 8, "adalora": {"beta2": 0.6}}}}
    )
    assert recipe.values_for("lora") == {"steps": 9, "adalora": {"beta1": 0.5}, "method": "lora"}
    assert recipe.values_for("adalora")["adalora"] == {"beta1": 0.5, "beta2": 0.6}


@pytest.mark.parametrize(
    ("data", "line"),
    [
        ({"methods": "lora"}, "methods = 'lora': give a list of names"),
        ({"methods": ["lora"], "method": "lora"}, "leave one of them out"),
        ({"seeds": [1, 1]}, "seeds = [1, 1]: give a list of different whole numbers"),
        ({"seeds": [True]}, "seeds = [True]"),
        ({"seeds": [1], "seed": 1}, "leave one of them out"),
        ({"for": 3}, "for: give a table for each method"),
        ({"for": {"adalor": {}}}, "for.adalor: unknown method; did you mean adalora?"),
    ],
)
def test_what_is_wrong_with_a_recipe_is_one_line(data: dict[str, object], line: str) -> None:
    with pytest.raises(ConfigError) as error:
        read_recipe(data)
    (said,) = error.value.lines
    assert line in said


def test_a_file_with_seeds_trains_a_race_for_each(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "race.toml"
    file.write_text(
        'methods = ["triadaptlora", "lora"]\nseeds = [1, 2]\nsteps = 12\nwarmup = 2\ninterval = 2\n'
        "[planted]\nblocks = 1\nwidth = 16\n[for.lora]\nlearning_rate = 0.001\n"
    )
    runs = tmp_path / "runs"
    assert cli.main(["train", str(file), "--runs", str(runs)]) == 0
    configs = [load_toml(place) for place in sorted(runs.glob("*/config.toml"))]
    assert sorted((one["method"], one["seed"]) for one in configs) == [
        ("lora", 1), ("lora", 2), ("triadaptlora", 1), ("triadaptlora", 2)
    ]  # fmt: skip
    assert {one["learning_rate"] for one in configs if one["method"] == "lora"} == {0.001}
    assert cli.main(["train", str(file), "--runs", str(tmp_path / "one"), "--seed", "5", "--method", "lora"]) == 0
    assert len(list((tmp_path / "one").glob("*/config.toml"))) == 1
    capsys.readouterr()
