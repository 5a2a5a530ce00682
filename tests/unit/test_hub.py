"""Models and datasets of a hub: fetched once, then from the cache; what cannot be had is one line, and soon."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from fake_hub import COMMIT, CONVERTED, OF_CONVERTED, fake_hub
from families import write_family
from tiny_text import WORDS

ROOT = Path(__file__).parents[2]
# The hub's address is read when huggingface_hub is imported, so whoever asks another one is a process of its own.
ASK = """
import json, sys
from triadapt.config import ConfigError, parse_config
from triadapt.pretrained.load import load
from triadapt.pretrained.look import fetched_look, look_at
from triadapt.pretrained.notes import told_to
from triadapt.tasks.files.settings import Settings
from triadapt.training.session import build_task

def answer(asked):
    what, values = asked
    notes = []
    try:
        with told_to(notes.append):
            if what == "look":
                look = look_at(values["model"], "files.model")
                said = None if look is None else [len(look.places), look.model_type]
            elif what == "fetched look":
                said = len(fetched_look(values["model"], "files.model").places)
            elif what == "load":
                said = load(Settings(**values), "files.model", "states").revision
            else:
                said = build_task(parse_config({"task": "hub", "hub": values, "steps": 3}), "cpu").describe()
    except ConfigError as error:
        (said,) = error.lines
    return [said, notes]

print(json.dumps([answer(asked) for asked in json.loads(sys.argv[1])]))
"""


def ask(questions: list[Any], address: str, home: Path) -> list[Any]:
    environment = {
        **os.environ, "HF_ENDPOINT": address, "HF_HOME": str(home), "PYTHONPATH": str(ROOT), "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1", "OMP_NUM_THREADS": "1",
    }  # fmt: skip
    environment = {name: value for name, value in environment.items() if not name.lower().endswith("_proxy")}
    done = subprocess.run(
        [sys.executable, "-c", ASK, json.dumps(questions)], env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return list(json.loads(done.stdout.splitlines()[-1]))


@pytest.fixture
def hub(tmp_path: Path) -> Path:
    root = tmp_path / "hub"
    for name in ("bert", "gated", "pickled", "old", f"old{CONVERTED}"):
        write_family("bert", root / "models" / "tiny" / name)
    for name in ("pickled", "old"):
        folder = root / "models" / "tiny" / name
        (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    own = root / "models" / "tiny" / "own-code"
    write_family("bert", own)
    config = json.loads((own / "config.json").read_text())
    config |= {"model_type": "homemade", "auto_map": {"AutoModel": "modeling.Homemade"}}
    (own / "config.json").write_text(json.dumps(config))
    rows = root / "datasets" / "tiny" / "rows"
    rows.mkdir(parents=True)
    texts = [f"{WORDS[i % 6 + 6 * (i % 2)]} {WORDS[i % 5 + 6 * (i % 2)]}" for i in range(60)]
    pd.DataFrame({"sentence": texts, "label": [i % 2 for i in range(60)]}).to_csv(rows / "rows.csv", index=False)
    features = [
        "dataset_info:", "- config_name: a", "  features:", "  - name: sentence", "    dtype: string",
        "  - name: label", "    dtype:", "      class_label:", "        names:",
        "          '0': fruit", "          '1': tool",
    ]  # fmt: skip
    files = ["configs:", "- config_name: a", "  data_files:", "  - split: train", "    path: rows.csv",
             "  - split: validation", "    path: rows.csv", "- config_name: b", "  data_files: rows.csv"]  # fmt: skip
    (rows / "README.md").write_text("\n".join(["---", *files, *features, "---", ""]))
    return root


def test_models_and_datasets_of_a_hub_are_fetched_and_what_cannot_be_had_is_one_line(hub: Path, tmp_path: Path) -> None:
    bert = {"model": "tiny/bert"}
    rows = {**bert, "dataset": "tiny/rows", "subset": "a", "text": "sentence"}
    models = [
        ["look", bert], ["fetched look", bert], ["load", bert], ["load", bert], ["look", bert],
        ["load", {"model": "tiny/old"}], ["fetched look", {"model": "tiny/gated"}], ["load", {"model": "tiny/gated"}],
        ["load", {"model": "tiny/pickled"}], ["load", {"model": "tiny/none"}],
        ["load", {**bert, "revision": "nowhere"}], ["fetched look", {"model": "tiny/own-code"}],
        ["load", {"model": "tiny/own-code"}],
    ]  # fmt: skip
    datasets: list[Any] = [
        ["task", rows], ["task", {**rows, "subset": "zz"}], ["task", {**rows, "dev_split": "test"}],
        ["task", {**rows, "dataset": "tiny/none"}], ["task", {**rows, "dataset": "tiny/gated"}],
        ["task", {**rows, "text": "txt"}],
    ]  # fmt: skip
    with fake_hub(hub, {"tiny/gated"}) as (address, asked):
        answers = ask([*models, *datasets], address, tmp_path / "home")
    said = [answer[0] for answer in answers]
    assert said[:6] == [None, 12, COMMIT, COMMIT, [12, "bert"], OF_CONVERTED]
    assert any("downloading tiny/bert: " in note for note in answers[2][1]) and not answers[3][1]
    gated = "gated: accept its terms on huggingface.co, then run `hf auth login` on this machine"
    assert said[6] == said[7] == f"files.model = 'tiny/gated': {gated}"
    assert "has no safetensors, and pickled weights are not loaded" in said[8]
    assert said[9].startswith("files.model = 'tiny/none': not on the hub, or private; check the id")
    assert "no such revision" in said[10]
    assert "asks to run code of its own" in said[11] and said[12].startswith("files.model = 'tiny/own-code': cannot be")
    assert not any(path.endswith((".bin", ".py")) and "/tiny/rows/" not in path for path in asked)
    described = said[13]
    assert described["classes"] == ["fruit", "tool"] and described["model_revision"] == COMMIT
    assert described["rows"] == {"train": 60, "dev": 60, "evaluated": 60} and described["subset"] == "a"
    assert said[14] == "hub.subset = 'zz': tiny/rows has a, b"
    assert said[15] == "hub.dev_split = 'test': tiny/rows has train, validation"
    assert said[16].startswith("hub.dataset = 'tiny/none': not on the hub, or private")
    assert said[17] == f"hub.dataset = 'tiny/gated': {gated}"
    assert said[18].startswith("hub.text = 'txt': no such column in hub.train_split = 'train'; it has sentence, label")

    nobody = "http://127.0.0.1:9"
    questions = [*models[2:5], ["load", {"model": "tiny/none"}], *datasets[:1], *datasets[3:4], models[5]]
    again = [answer[0] for answer in ask(questions, nobody, tmp_path / "home")]
    assert again[:3] == [COMMIT, COMMIT, [12, "bert"]]
    away = "the hub cannot be reached and the cache does not have it; check the network, or give a local folder"
    assert again[3] == f"files.model = 'tiny/none': {away}"
    assert again[4]["data_sha256"] == described["data_sha256"]
    assert again[5] == f"hub.dataset = 'tiny/none': {away}"
    assert again[6] == OF_CONVERTED
