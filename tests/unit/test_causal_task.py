"""Plain text becomes a task for a decoder, or one line says why not."""

import json
import math
import random
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from families import VOCABULARY, write_family
from tiny_text import WORDS, write_tiny_tokenizer
from transformers import AutoModelForCausalLM, AutoTokenizer

from triadapt import cli
from triadapt.config import ConfigError, parse_config
from triadapt.events import Baseline, Evaluation, Finished, RankEvent
from triadapt.tasks.causal import blocks as blocks_module
from triadapt.tasks.causal.blocks import Packing, both_sides
from triadapt.tasks.causal.documents import documents, glance
from triadapt.tasks.causal.settings import Settings
from triadapt.tasks.causal.task import CausalTask
from triadapt.tasks.existing_file import LARGEST_BYTES
from triadapt.training.session import build_task
from triadapt.training.train import train

TEXTS = [" ".join(WORDS[(d + i) % 12] for i in range(10 + d % 5)) for d in range(40)]


@pytest.fixture(scope="module")
def packing(tmp_path_factory: pytest.TempPathFactory) -> Packing:
    folder = tmp_path_factory.mktemp("tokenizer")
    write_tiny_tokenizer(folder)
    return Packing(AutoTokenizer.from_pretrained(folder), VOCABULARY, "causal.model = 'm'")


def settings(train: object, **values: Any) -> Settings:
    return Settings(model="owner/decoder", train=str(train), block=16, **values)


def rows(texts: list[Any]) -> pd.DataFrame:
    return pd.DataFrame({"text": texts, "number": range(len(texts))})


def refusal(packing: Packing, chosen: Settings) -> str:
    with pytest.raises(ConfigError) as error:
        both_sides(chosen, packing)
    (line,) = error.value.lines
    return line


# Text


def test_the_documents_of_every_kind_of_file_are_the_same(tmp_path: Path, packing: Packing) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    for number, text in enumerate(TEXTS):
        (folder / f"{number:02d}.{('txt', 'md')[number % 2]}").write_text(text)
    (folder / "notes.csv").write_text("not text")
    rows([*TEXTS, None, " "]).to_parquet(tmp_path / "a.parquet")
    rows([*TEXTS, ""]).to_json(tmp_path / "a.jsonl", orient="records", lines=True)
    for name in ("folder", "a.parquet", "a.jsonl"):
        assert list(documents(settings(tmp_path / name), "train")) == TEXTS
    first = [both_sides(settings(tmp_path / name), packing)[0] for name in ("folder", "a.parquet", "a.jsonl")]
    assert np.array_equal(first[0], first[1]) and np.array_equal(first[0], first[2])


def test_blocks_hold_the_documents_one_behind_the_other_with_what_begins_and_ends_them(packing: Packing) -> None:
    found = packing.blocks(TEXTS[:3], 8, 100)
    tokenizer = packing._tokenizer
    whole = [token for text in TEXTS[:3] for token in tokenizer(text)["input_ids"]]  # [CLS] ... [SEP]
    assert found.flatten().tolist() == whole[: len(whole) // 8 * 8] and found.shape[1] == 8
    assert packing.blocks(TEXTS, 8, 2).tolist() == found[:2].tolist()
    assert packing.blocks([], 8, 2).shape == (0, 8)


def test_a_long_text_is_cut_into_pieces_without_loss(packing: Packing, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "\n".join(TEXTS) + " " + "".join("abc"[i % 3] for i in range(5)) + " " + " ".join(TEXTS)
    whole = packing.blocks([text], 8, 1000)
    monkeypatch.setattr(blocks_module, "MOST_CHARACTERS", 100)
    assert packing.blocks([text], 8, 1000).tolist() == whole.tolist()
    assert "".join(blocks_module._pieces("x" * 950)) == "x" * 950


def test_what_is_held_out_is_a_tenth_of_the_documents_or_the_end_of_few(tmp_path: Path, packing: Packing) -> None:
    path = tmp_path / "a.jsonl"
    rows(TEXTS * 2).to_json(path, orient="records", lines=True)
    train_blocks, dev_blocks, how = both_sides(settings(path), packing)
    assert how == "one document in ten" and 0.05 < len(dev_blocks) / len(train_blocks) < 0.2
    one = tmp_path / "a.txt"
    one.write_text("\n".join(TEXTS * 2))
    train_blocks, dev_blocks, how = both_sides(settings(one, eval_rows=3), packing)
    whole = packing.blocks([one.read_text()], 16, 1000)
    assert how == "the last tenth" and len(dev_blocks) == 3
    assert np.array_equal(whole[: len(train_blocks)], train_blocks) and len(train_blocks) == math.ceil(0.9 * len(whole))
    assert np.array_equal(whole[len(train_blocks) :][:3], dev_blocks)
    few, _, _ = both_sides(settings(one, train_rows=5), packing)
    assert np.array_equal(few, whole[:5])
    _, dev_blocks, how = both_sides(settings(one, dev=str(path)), packing)
    assert how == "a file of its own" and np.array_equal(dev_blocks, packing.blocks(TEXTS * 2, 16, 64))


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.txt", b"", "is empty"), ("a.txt", b"\xff\xfe\x00", "cannot be read ("),
        ("a.txt", b" \n\n", "fills 0 blocks of 16 tokens, at least 5 are needed; give more"),
        ("a.md", b"apple river", "fills 0 blocks of 16 tokens"),
        ("a.jsonl", b"5\n", "row 1: 5 is no row"), ("a.jsonl", b'{"text": ', "cannot be read ("),
        ("a.jsonl", b'{"txt": "a"}', "causal.text = 'text': no such column in"),
        ("a.jsonl", b'{"text": "a"}\n{"text": 5}', "row 2 holds int, not text; name another column"),
        ("a.jsonl", b'{"text": "\\ud800"}', "row 1: holds half a character"),
        ("a.parquet", b"PAR1", "cannot be read ("),
    ],
)  # fmt: skip
def test_a_file_of_which_nothing_can_be_made_is_one_line(
    name: str, content: bytes, said: str, tmp_path: Path, packing: Packing
) -> None:
    (tmp_path / name).write_bytes(content)
    good = tmp_path / "good.txt"
    good.write_text("\n".join(TEXTS))
    chosen = settings(tmp_path / name)
    assert said in refusal(packing, chosen)
    assert said.partition(" blocks")[0] in str(glance(chosen)) or "blocks" in said
    other = refusal(packing, settings(good, dev=str(tmp_path / name)))
    assert other.startswith(("causal.dev = ", "causal.text = ")) and (said in other or "at least 1 are" in other)


def test_names_and_columns_that_cannot_be_read_are_one_line_each(tmp_path: Path, packing: Packing) -> None:
    (tmp_path / "folder").mkdir()
    assert "no .txt or .md file in this folder" in refusal(packing, settings(tmp_path / "folder"))
    assert refusal(packing, settings(tmp_path / "none.txt")).endswith("no such file")
    for name in ("a\0b.txt", "x" * 5000 + ".txt", "~nobody-of-this-name/a.txt"):
        assert len(glance(settings(name))) == 1
    rows(TEXTS).to_parquet(tmp_path / "a.parquet")
    assert refusal(packing, settings(tmp_path / "a.parquet", text="txt")).endswith("it has text, number")
    assert "holds int, not text" in refusal(packing, settings(tmp_path / "a.parquet", text="number"))
    with (tmp_path / "large.txt").open("wb") as file:
        file.truncate(LARGEST_BYTES + 1)
    assert "2.0 GiB, the limit is 2; cut it" in refusal(packing, settings(tmp_path / "large.txt"))
    small = Packing(packing._tokenizer, 10, "causal.model = 'm'")
    assert "the model only 10 of them; give a model with the tokenizer" in refusal(
        small, settings(tmp_path / "a.parquet")
    )


def test_whatever_is_changed_in_a_file_is_either_right_or_one_line(tmp_path: Path, packing: Packing) -> None:
    whole = {
        "a.txt": "\n".join(TEXTS).encode(),
        "a.jsonl": "\n".join(json.dumps({"text": text}) for text in TEXTS).encode(),
    }
    rows(TEXTS).to_parquet(tmp_path / "a.parquet")
    whole["a.parquet"] = (tmp_path / "a.parquet").read_bytes()
    refused = 0
    for seed in range(60):
        draw = random.Random(seed)
        name = list(whole)[seed % 3]
        content = bytearray(whole[name])
        for _ in range(draw.choice([1, 1, 5])):
            place = draw.randrange(len(content))
            kind = draw.randrange(3)
            if kind == 0:
                content[place] = draw.randrange(256)
            elif kind == 1:
                del content[place : place + draw.randrange(1, 400)]
            else:
                content[place:place] = draw.choice([b"\x00", b"\xff", b'"', b"}", b"\n", b"[[", b"\xf0\x9f", b"1e999"])
        (tmp_path / name).write_bytes(bytes(content))
        try:
            both_sides(settings(tmp_path / name), packing)
        except ConfigError as error:
            refused += 1
            assert len(error.lines) == 1 and error.lines[0].isprintable() and len(error.lines[0]) < 600, seed
            assert error.lines[0].startswith(("causal.train = ", "causal.text = ")), seed
    assert 15 < refused < 60


# Models


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({"train": "a.txt"}, r"causal\.model = '': name a decoder: a local folder, or a hub id"),
        ({"train": "a.txt", "model": "minilm"}, r"causal\.model = 'minilm': an encoder, which sees the words"),
        ({"model": "owner/decoder"}, r"causal\.train = '': name a folder or a file of text"),
        ({"model": "owner/decoder", "train": "a.csv"}, r"causal\.train = 'a\.csv': cannot be read as text"),
        ({"model": "owner/decoder", "train": "a.txt", "dev": "a.pdf"}, r"causal\.dev = 'a\.pdf': cannot be read"),
    ],
)  # fmt: skip
def test_settings_without_a_decoder_or_a_text_are_refused_before_a_run_is_made(
    section: dict[str, str], said: str
) -> None:
    with pytest.raises(ConfigError, match=said) as error:
        parse_config({"task": "causal", "causal": section})
    assert len(error.value.lines) == 1


def test_a_model_that_is_no_decoder_or_reads_less_than_a_block_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.txt"
    path.write_text("\n".join(TEXTS))
    encoder, decoder = (write_family(family, tmp_path / family) for family in ("bert", "llama"))
    chosen = settings(path).model_copy(update={"model": encoder})
    with pytest.raises(ConfigError, match="hold a bert without a causal language model; name a decoder") as error:
        CausalTask(chosen, seed=1, batch_size=2, steps=2, device="cpu")
    assert glance(chosen) == error.value.lines and len(error.value.lines) == 1
    with pytest.raises(ConfigError, match=r"causal\.block = 128: the model takes at most 64 tokens; lower it"):
        CausalTask(Settings(model=decoder, train=str(path)), seed=1, batch_size=2, steps=2, device="cpu")
    command = ["train", "--task", "causal", "--set", f"causal.model={encoder}", "--set", f"causal.train={path}"]
    capsys.readouterr()
    assert cli.main([*command, "--runs", str(tmp_path / "runs")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line == f"triadapt: {error.value.lines[0]}" and not (tmp_path / "runs").exists()


@pytest.mark.parametrize(("family", "method"), [("gpt2", "triadaptlora"), ("llama", "increlora"), ("llama", "adalora")])
def test_a_decoder_learns_the_text_and_its_perplexity_goes_down(family: str, method: str, tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("\n".join(TEXTS * 4))
    values = {
        "task": "causal", "method": method, "steps": 24, "warmup": 2, "interval": 2, "reference_rank": 2,
        "batch_size": 8, "learning_rate": 2e-2, "eval_every": 12,
        "causal": {"model": write_family(family, tmp_path / "model"), "train": str(path), "block": 32},
    }  # fmt: skip
    config = parse_config(values)
    task = build_task(config, "cpu")
    events = list(train(config, task=task))
    assert isinstance(events[-1], Finished)
    found = [event.metrics for event in events if isinstance(event, Evaluation)]
    assert found[-1]["perplexity"] < 0.95 * found[0]["perplexity"]
    assert [math.exp(metrics["loss"]) for metrics in found] == [metrics["perplexity"] for metrics in found]
    (frozen,) = (event for event in events if isinstance(event, Baseline))
    assert (frozen.name, frozen.value) == ("no adapter", found[0]["perplexity"])
    assert len({event.total_rank for event in events if isinstance(event, RankEvent)}) > 1
    assert torch.equal(task.batch(3), build_task(config, "cpu").batch(3))


def test_the_loss_is_that_of_transformers_and_perplexity_ends_somewhere(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("\n".join(TEXTS))
    folder = write_family("llama", tmp_path / "model")
    chosen = Settings(model=folder, train=str(path), block=16)
    task = CausalTask(chosen, seed=1, batch_size=4, steps=2, device="cpu")
    batch = task.batch(0)
    model = AutoModelForCausalLM.from_pretrained(folder).eval()
    torch.testing.assert_close(task.loss(task.build_model(), batch), model(input_ids=batch, labels=batch).loss)
    broken: Any = task.build_model()
    with torch.no_grad():
        broken.lm_head.weight.mul_(1e4)
    assert task.evaluate(broken)["perplexity"] == math.exp(20) and task.evaluate(broken)["loss"] > 20
