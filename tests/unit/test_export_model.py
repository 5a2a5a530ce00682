"""The weights of a run as files: what is loaded from them computes what the run computed."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from tiny_runs import advance, finish, opened, outputs, tiny
from tiny_text import made_up_text

from triadapt.config import parse_config
from triadapt.methods.registry import METHODS
from triadapt.runs.export import MODEL_FORMS
from triadapt.runs.info import RunError, RunInfo
from triadapt.training.export_model import export_model
from triadapt.training.session import Session

pytestmark = [
    # PEFT 0.21 takes a rank of 0 for a lost shard, and checks AdaLoRA's keys as if they were LoRA's.
    pytest.mark.filterwarnings("ignore:Adapter 'default'.*invalid shape"),
    pytest.mark.filterwarnings("ignore:The following rank_pattern keys did not match:RuntimeWarning"),
    pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning"),
]


def info_of(session: Session) -> RunInfo:
    assert session.folder is not None
    return RunInfo(id=session.folder.name, name="a run", folder=session.folder, config=session.config.as_dict())


def code_of(readme: str, form: str) -> str:
    found = re.search(rf"## {form}\n.*?```python\n(.*?)```", readme, re.DOTALL)
    assert found is not None
    return found[1]


def loaded(folder: Path, form: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """What the lines in the README make, run in the folder."""
    monkeypatch.chdir(folder)
    space: dict[str, Any] = {}
    exec(code_of((folder / "README.md").read_text(), form), space)
    return space["model"].eval()


@pytest.mark.parametrize("method", METHODS)
def test_every_form_of_a_finished_run_loads_by_its_readme_to_the_same_outputs(
    method: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = opened(tiny(method), tmp_path / "run")
    finish(session)
    session.method.close()
    session.model.eval()
    expected = outputs(session)
    written = export_model(info_of(session), tmp_path / "out", MODEL_FORMS)
    assert {path.name for path in written} == {*MODEL_FORMS, "README.md", "config.toml"}
    assert {path.name for path in (tmp_path / "out").iterdir()} == {path.name for path in written}
    assert not [path for path in (tmp_path / "out").rglob("*") if path.suffix in (".bin", ".pt", ".pkl")]
    for form in MODEL_FORMS:
        model = loaded(tmp_path / "out", form, monkeypatch)
        with torch.no_grad():
            torch.testing.assert_close(model(session.task.batch(0)[0]), expected, rtol=1e-5, atol=1e-5)
    config = json.loads((tmp_path / "out" / "lora" / "adapter_config.json").read_text())
    assert config["peft_type"] == "LORA"


# The tiny encoder is too narrow for weights in 4 bits on a CPU.
@pytest.mark.parametrize("method", [method for method in METHODS if method != "qlora"])
def test_what_a_text_run_exports_fits_the_pretrained_encoder_alone(
    method: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = made_up_text(tmp_path, monkeypatch)
    text = {"model": encoder, "train_rows": 80, "dev_rows": 24, "eval_rows": 20, "max_tokens": 24}
    values = {"steps": 12, "warmup": 2, "interval": 2, "growth": "non-linear", "reference_rank": 3, "batch_size": 8}
    config = parse_config({"task": "text", "method": method, "device": "cpu", "text": text, **values})
    session = opened(config, tmp_path / "run")
    finish(session)
    session.method.close()
    model: Any = session.model.eval()
    inputs = {name: value for name, value in session.task.batch(0).items() if name != "labels"}
    states = model.base_model.model.encoder(**inputs).last_hidden_state
    export_model(info_of(session), tmp_path / "out", MODEL_FORMS)
    head = model.base_model.model.classifier.modules_to_save["default"]
    for form in MODEL_FORMS:
        found = loaded(tmp_path / "out", form, monkeypatch)(**inputs).last_hidden_state
        torch.testing.assert_close(found, states, rtol=1e-5, atol=1e-5)
        saved = load_file(tmp_path / "out" / form / "head.safetensors")
        assert torch.equal(saved["classifier.weight"], head.weight) and torch.equal(saved["classifier.bias"], head.bias)


def test_a_run_that_is_not_done_gives_its_newest_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    session = opened(tiny("triadaptlora"), tmp_path / "run")
    advance(session, 17)
    session.stop("enough")
    expected = outputs(session)
    export_model(info_of(session), tmp_path / "out", ["lora"])
    assert "17 of 40 steps" in (tmp_path / "out" / "README.md").read_text()
    with torch.no_grad():
        found = loaded(tmp_path / "out", "lora", monkeypatch)(session.task.batch(0)[0])
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


def test_what_cannot_be_exported_says_why_and_leaves_nothing(tmp_path: Path) -> None:
    session = opened(tiny("triadaptlora"), tmp_path / "run")
    with pytest.raises(RunError, match="run: it has no checkpoint, so there are no weights to export"):
        export_model(info_of(session), tmp_path / "out", ["adapter"])
    advance(session, 9)
    session.stop("enough")
    broken = next((tmp_path / "run" / "checkpoints").glob("*.safetensors"))
    whole = broken.read_bytes()
    broken.write_bytes(whole[:100])
    with pytest.raises(RunError, match=r"run: its model cannot be built again \(step-.*: not a readable checkpoint"):
        export_model(info_of(session), tmp_path / "out", ["adapter"])
    assert not (tmp_path / "out").exists()
    broken.write_bytes(whole)
    export_model(info_of(session), tmp_path / "out", ["adapter"])
    with pytest.raises(FileExistsError):
        export_model(info_of(session), tmp_path / "out", ["lora", "adapter"])
    assert not (tmp_path / "out" / "lora").exists()
    export_model(info_of(session), tmp_path / "out", ["lora", "adapter"], overwrite=True)
