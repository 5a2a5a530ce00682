"""Any family of models can be adapted: what is seen in its files is what is loaded, and every method trains it."""

import json
from pathlib import Path

import pandas as pd
import pytest
import torch
from families import FAMILIES, write_family
from tiny_text import WORDS, write_tiny_tokenizer

from triadapt.config import parse_config
from triadapt.errors import ConfigError
from triadapt.events import Evaluation, Finished, Geometry, RankEvent, Started
from triadapt.methods.registry import METHODS
from triadapt.pretrained.load import load, load_model
from triadapt.pretrained.look import look_at
from triadapt.pretrained.matrices import model_places
from triadapt.pretrained.source import find_model
from triadapt.tasks.files.settings import Settings
from triadapt.tasks.labelled.classifier import pooling_of
from triadapt.tasks.labelled.metrics import measure
from triadapt.tasks.labelled.rows import Side
from triadapt.training.session import build_task
from triadapt.training.train import train

SIX, SEVEN = ["q", "k", "v", "o", "up", "down"], ["q", "k", "v", "o", "gate", "up", "down"]
PLACES = {
    **{family: SIX for family in ("bert", "roberta", "deberta-v2", "distilbert")},
    "modernbert": ["qkv", "o", "gate_up", "down"],
    "gpt2": ["qkv", "o", "up", "down"],
    **{family: SEVEN for family in ("llama", "qwen2", "t5")},
}


@pytest.mark.parametrize("family", FAMILIES)
def test_what_the_files_say_is_what_is_loaded(family: str, tmp_path: Path) -> None:
    folder = write_family(family, tmp_path / "model")
    look = look_at(folder, "files.model")
    assert look is not None and look.model_type == family
    loaded = model_places(load_model(find_model(folder)))
    assert [(p.layer, p.module, p.shape) for p in look.places] == [(p.layer, p.module, p.shape) for p in loaded]
    assert [place.module for place in loaded] == PLACES[family] * 2
    assert look.decoder == (family in ("gpt2", "llama", "qwen2")) and look.hidden == 16 and look.layers == 2


@pytest.mark.parametrize("family", ["bert", "deberta-v2", "llama", "gpt2"])
def test_every_method_trains_it_from_a_local_folder_end_to_end(
    family: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRIADAPT_CACHE", str(tmp_path / "cache"))
    texts = [f"{WORDS[i % 6 + 6 * (i % 2)]} {WORDS[i % 5 + 6 * (i % 2)]}" for i in range(60)]
    pd.DataFrame({"text": texts, "label": ["fruit", "tool"] * 30}).to_csv(tmp_path / "rows.csv", index=False)
    folder = write_family(family, tmp_path / "model")
    values = {
        "task": "files", "steps": 24, "warmup": 2, "interval": 2, "reference_rank": 2, "batch_size": 16,
        "eval_every": 8, "geometry_every": 6, "learning_rate": 1e-2,
        "files": {"train": str(tmp_path / "rows.csv"), "dev": str(tmp_path / "rows.csv"), "model": folder},
    }  # fmt: skip
    task = build_task(parse_config(values), "cpu")
    # Two of PEFT's tuners adapt Linear layers alone, and these models are too narrow for QLoRA to round on a CPU.
    left_out = {"qlora", *(("loha", "adamss") if family == "gpt2" else ())}
    for method in [name for name in METHODS if name not in left_out]:
        events = list(train(parse_config({**values, "method": method}), task=task))
        started, end = events[0], events[-1]
        assert isinstance(started, Started) and isinstance(end, Finished)
        assert [matrix.module for matrix in started.matrices] == PLACES[family] * 2
        assert started.data["pooling"] == ("last" if family in ("gpt2", "llama") else "mean")
        evaluations = [event.metrics for event in events if isinstance(event, Evaluation)]
        assert evaluations[-1]["loss"] < evaluations[0]["loss"], method
        ranks = [event.total_rank for event in events if isinstance(event, RankEvent)]
        if METHODS[method].allocation != "fixed":
            assert len(set(ranks)) > 1
        geometry = [event for event in events if isinstance(event, Geometry)][-1]
        assert geometry.singular.max() > 0


def test_a_model_without_a_tokenizer_or_with_an_adapter_beside_it_is_refused(tmp_path: Path) -> None:
    folder = Path(write_family("bert", tmp_path / "model"))
    for file in folder.glob("token*"):
        file.unlink()
    with pytest.raises(ConfigError, match="it has no tokenizer"):
        load(Settings(model=str(folder)), "files.model", "states")
    write_tiny_tokenizer(folder)
    (folder / "adapter_config.json").write_text("{}")
    with pytest.raises(ConfigError, match="it holds an adapter"):
        load(Settings(model=str(folder)), "files.model", "states")


HARMED: dict[str, dict[str, object]] = {
    "digits": {"layer." + "9" * 5000 + ".q.weight": {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]}},
    "a negative side": {"layer.0.q.weight": {"dtype": "F32", "shape": [2, -2], "data_offsets": [0, 16]}},
    "no shape": {"layer.0.q.weight": {"dtype": "F32"}},
    "a list": {"layer.0.q.weight": [1]},
    "nothing": {},
}


@pytest.mark.parametrize("head", HARMED.values(), ids=HARMED)
@pytest.mark.parametrize("config", [{"model_type": "bert", "architectures": 5}, {"model_type": ["x"]}, {}])
def test_files_of_a_model_that_are_none_are_one_line(
    head: dict[str, object], config: dict[str, object], tmp_path: Path
) -> None:
    (tmp_path / "config.json").write_text(json.dumps(config))
    text = json.dumps(head).encode()
    (tmp_path / "model.safetensors").write_bytes(len(text).to_bytes(8, "little") + text + bytes(16))
    with pytest.raises(ConfigError) as error:
        look_at(str(tmp_path), "files.model")
    assert len(error.value.lines) == 1 and error.value.lines[0].startswith("files.model = ")


def test_a_decoder_is_not_read_at_its_first_token(tmp_path: Path) -> None:
    folder = write_family("gpt2", tmp_path / "model")
    config = load_model(find_model(folder)).config
    assert pooling_of("auto", config, "files.pooling") == "last"
    with pytest.raises(ConfigError, match=r"files\.pooling = 'cls': gpt2 is a decoder"):
        pooling_of("cls", config, "files.pooling")


def test_f1_is_of_one_kind_whatever_is_guessed() -> None:
    truth = torch.tensor([0, 1, 0, 1])
    assert measure("f1", torch.tensor([0, 1, 1, 1]), truth, 2) == pytest.approx(0.8)
    three = [measure("f1", torch.tensor(guess), truth, 3) for guess in ([0, 1, 1, 1], [0, 1, 1, 2])]
    assert three == pytest.approx([(2 / 3 + 0.8) / 3, (2 / 3 + 0.5) / 3])


def test_rows_that_are_scored_are_spread_over_a_sorted_table() -> None:
    side = Side([str(i) for i in range(10)], None, [0] * 5 + [1] * 5)
    assert list(side.spread(4).labels) == [0, 0, 1, 1] and side.spread(20) is side
