"""Any family of models can be adapted: what is seen in its files is what is loaded, and every method trains it."""

from pathlib import Path

import pandas as pd
import pytest
from families import FAMILIES, write_family
from tiny_text import WORDS

from triadapt.config import parse_config
from triadapt.events import Evaluation, Finished, Geometry, RankEvent, Started
from triadapt.methods.registry import METHODS
from triadapt.pretrained.load import load_model
from triadapt.pretrained.look import look_at
from triadapt.pretrained.matrices import model_places
from triadapt.pretrained.source import find_model
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
    for method in METHODS:
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
