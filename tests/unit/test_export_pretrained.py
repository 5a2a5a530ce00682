"""Weights of runs on questions and on plain text fit the pretrained model that others load."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from families import BLOCK, write_family
from peft import PeftModel
from safetensors.torch import load_file, save_file
from test_export_model import info_of, loaded
from test_qa_task import squad, write
from tiny_text import WORDS
from transformers import AutoTokenizer

from triadapt.config import parse_config
from triadapt.methods.registry import METHODS
from triadapt.pretrained.look import look_at
from triadapt.runs.export import MODEL_FORMS
from triadapt.runs.info import RunError
from triadapt.training.export_model import export_model
from triadapt.training.session import Session

pytestmark = [
    # PEFT 0.21 takes a rank of 0 for a lost shard, and checks AdaLoRA's keys as if they were LoRA's.
    pytest.mark.filterwarnings("ignore:Adapter 'default'.*invalid shape"),
    pytest.mark.filterwarnings("ignore:The following rank_pattern keys did not match:RuntimeWarning"),
    pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning"),
]
# PEFT's tuners for Linear layers alone cannot adapt GPT-2, and QLoRA needs wider layers than these.
ANY_LAYER = [method for method in METHODS if method not in ("loha", "adamss", "qlora")]
SCHEDULE = {"steps": 6, "warmup": 1, "interval": 1, "growth": "non-linear", "reference_rank": 2, "batch_size": 4,
            "learning_rate": 2e-2}  # fmt: skip


def trained(values: dict[str, Any], folder: Path) -> Session:
    folder.mkdir()
    session = Session(parse_config({**SCHEDULE, **values}), folder=folder)
    session.open()
    while not session.done:
        session.advance()
    session.method.close()
    session.model.eval()
    return session


@pytest.mark.parametrize(
    ("family", "method"),
    [("gpt2", method) for method in ANY_LAYER] + [("llama", method) for method in ("triadaptlora", "loha", "adamss")],
)
def test_what_a_causal_run_exports_gives_the_same_logits_on_the_plain_decoder(
    family: str, method: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.txt").write_text(" ".join(WORDS * 40))
    decoder = write_family(family, tmp_path / "model")
    section = {"model": decoder, "train": str(tmp_path / "a.txt"), "block": 16}
    session = trained({"task": "causal", "method": method, "causal": section}, tmp_path / "run")
    batch = session.task.batch(0)
    with torch.no_grad():
        expected = session.model(input_ids=batch).logits
        plain = session.task.build_model().eval()(input_ids=batch).logits
    assert (expected - plain).abs().max() > 1e-3
    export_model(info_of(session), tmp_path / "out", MODEL_FORMS)
    readme = (tmp_path / "out" / "README.md").read_text()
    assert f'AutoModelForCausalLM.from_pretrained("{decoder}")' in readme and "head.safetensors" not in readme
    assert not list((tmp_path / "out").rglob("head.safetensors"))
    for form in MODEL_FORMS:
        with torch.no_grad():
            found = loaded(tmp_path / "out", form, monkeypatch)(input_ids=batch).logits
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    config = json.loads((tmp_path / "out" / "adapter" / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == decoder


@pytest.mark.filterwarnings("ignore:.*4-bit (linear|weights)")
def test_a_run_over_four_bits_exports_lora_and_says_what_peft_cannot_merge(tmp_path: Path) -> None:
    pytest.importorskip("bitsandbytes", reason="bitsandbytes, the extra four-bit, is not installed")
    (tmp_path / "a.txt").write_text(" ".join(WORDS * 40))
    section = {"model": write_family("llama", tmp_path / "model", BLOCK), "train": str(tmp_path / "a.txt"), "block": 16,
               "weights": "4-bit"}  # fmt: skip
    session = trained({"task": "causal", "method": "adalora", "causal": section}, tmp_path / "run")
    with pytest.raises(RunError, match="run: PEFT does not merge AdaLoRA into weights in 4 bits; export lora"):
        export_model(info_of(session), tmp_path / "out", ["merged"])
    export_model(info_of(session), tmp_path / "out", ["adapter", "lora"])
    batch = session.task.batch(0)
    plain = PeftModel.from_pretrained(session.task.build_model(), str(tmp_path / "out" / "lora")).eval()
    with torch.no_grad():
        torch.testing.assert_close(
            plain(input_ids=batch).logits, session.model(input_ids=batch).logits, rtol=1e-4, atol=1e-5
        )


@pytest.mark.parametrize(
    ("family", "method"), [("bert", method) for method in METHODS if method != "qlora"] + [("gpt2", "triadaptlora")]
)
def test_what_a_run_on_questions_exports_gives_the_same_scores_with_its_head(
    family: str, method: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(squad(), tmp_path / "a.json")
    section = {"model": write_family(family, tmp_path / "model"), "train": path, "dev": path, "max_tokens": 32,
               "stride": 8}  # fmt: skip
    session = trained({"task": "qa", "method": method, "qa": section}, tmp_path / "run")
    batch = session.task.batch(0)
    inputs = {name: batch[name] for name in batch if name not in ("allowed", "spans")}
    with torch.no_grad():
        expected = session.model(**inputs)
    export_model(info_of(session), tmp_path / "out", MODEL_FORMS)
    readme = (tmp_path / "out" / "README.md").read_text()
    assert "two scores, as first and last of the answer" in readme and "AutoModel.from_pretrained" in readme
    for form in MODEL_FORMS:
        head = load_file(tmp_path / "out" / form / "head.safetensors")
        assert set(head) == {"qa_outputs.weight", "qa_outputs.bias"}
        with torch.no_grad():
            states = loaded(tmp_path / "out", form, monkeypatch)(**inputs).last_hidden_state
        found = torch.nn.functional.linear(states, head["qa_outputs.weight"], head["qa_outputs.bias"])
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("family", ["bert", "gpt2", "t5"])
def test_a_merged_model_is_otherwise_as_it_came_with_its_tokenizer(
    family: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRIADAPT_CACHE", str(tmp_path / "cache"))
    rows = "".join(f"{word} {WORDS[0]},{number % 2}\n" for number, word in enumerate(WORDS * 3))
    (tmp_path / "rows.csv").write_text("text,label\n" + rows)
    source = write_family(family, tmp_path / "model")
    files = {"train": str(tmp_path / "rows.csv"), "dev": str(tmp_path / "rows.csv"), "model": source}
    session = trained({"task": "files", "method": "triadaptlora", "files": files}, tmp_path / "run")
    inputs = {name: value for name, value in session.task.batch(0).items() if name != "labels"}
    encoder = session.model.base_model.model.encoder  # type: ignore[union-attr]
    with torch.no_grad():
        expected = encoder(**inputs).last_hidden_state  # type: ignore[operator]
    export_model(info_of(session), tmp_path / "out", MODEL_FORMS)
    for form in MODEL_FORMS:
        model = loaded(tmp_path / "out", form, monkeypatch)
        with torch.no_grad():
            torch.testing.assert_close(model(**inputs).last_hidden_state, expected, rtol=1e-4, atol=1e-5)
    before, after = (json.loads((Path(f) / "config.json").read_text()) for f in (source, tmp_path / "out" / "merged"))
    kept = [name for name in before if "drop" in name or name == "use_cache"]
    assert {name: after[name] for name in kept} == {name: before[name] for name in kept} and len(kept) > 1
    assert "local" not in (tmp_path / "out" / "merged" / "tokenizer_config.json").read_text()
    ids = AutoTokenizer.from_pretrained(tmp_path / "out" / "merged")(WORDS[0])["input_ids"]
    assert ids == AutoTokenizer.from_pretrained(source)(WORDS[0])["input_ids"]
    stored, origin = (load_file(Path(f) / "model.safetensors") for f in (tmp_path / "out" / "merged", source))
    poolers = [name for name in origin if name.startswith("pooler.")]
    assert len(poolers) == (2 if family == "bert" else 0)
    assert all(torch.equal(stored[name], origin[name]) for name in poolers)
    assert (type(model).__name__ == "T5EncoderModel") == (family == "t5")


def test_an_encoder_that_came_without_a_pooler_is_merged_without_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, source = write(squad(), tmp_path / "a.json"), Path(write_family("bert", tmp_path / "model"))
    tensors = load_file(source / "model.safetensors")
    bare = {name: value for name, value in tensors.items() if not name.startswith("pooler.")}
    save_file(bare, source / "model.safetensors", metadata={"format": "pt"})
    section = {"model": str(source), "train": path, "dev": path, "max_tokens": 32, "stride": 8}
    session = trained({"task": "qa", "method": "lora", "qa": section}, tmp_path / "run")
    export_model(info_of(session), tmp_path / "out", ["merged"])
    assert set(load_file(tmp_path / "out" / "merged" / "model.safetensors")) == set(bare)
    assert loaded(tmp_path / "out", "merged", monkeypatch).pooler is None


@pytest.mark.parametrize("task", ["causal", "qa"])
def test_a_model_of_the_hub_has_its_id_in_every_form(
    task: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot = Path(write_family("gpt2", tmp_path / "snapshot"))
    monkeypatch.setattr("triadapt.pretrained.load.fetched", lambda _: snapshot)
    monkeypatch.setattr("triadapt.tasks.causal.task.fetched_look", lambda *_: look_at(str(snapshot), "causal.model"))
    (tmp_path / "a.txt").write_text(" ".join(WORDS * 40))
    path = write(squad(), tmp_path / "a.json")
    own = {
        "causal": {"train": str(tmp_path / "a.txt"), "block": 16},
        "qa": {"train": path, "dev": path, "max_tokens": 32, "stride": 8},
    }
    section = {"model": "tiny/gpt2", "revision": "v1", **own[task]}
    session = trained({"task": task, "method": "triadaptlora", task: section}, tmp_path / "run")
    export_model(info_of(session), tmp_path / "out", MODEL_FORMS)
    for form in ("adapter", "lora"):
        config = json.loads((tmp_path / "out" / form / "adapter_config.json").read_text())
        assert (config["base_model_name_or_path"], config["revision"]) == ("tiny/gpt2", "v1")
    assert 'from_pretrained("tiny/gpt2", revision="v1")' in (tmp_path / "out" / "README.md").read_text()
    for file in (tmp_path / "out").rglob("*"):
        assert file.is_dir() or str(snapshot).encode() not in file.read_bytes(), file
