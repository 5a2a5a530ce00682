"""A tiny encoder and made-up rows, for tests of the text task without its data."""

from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from triadapt.tasks.text import rows as rows_module
from triadapt.tasks.text.docstrings import Library

WORDS = "apple river stone cloud engine mirror lantern harbour violin meadow copper saddle".split()
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
VOCABULARY = {word: index for index, word in enumerate([*SPECIAL, *WORDS, *"abcdefghijklmnopqrstuvwxyz"])}


def write_tiny_encoder(folder: Path) -> None:
    """A BERT of two layers with random weights, and a tokenizer of whole words."""
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(VOCABULARY),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=64,
    )
    BertModel(config).save_pretrained(folder)
    write_tiny_tokenizer(folder)


def write_tiny_tokenizer(folder: Path) -> None:
    """Whole words, else letters."""
    tokenizer = Tokenizer(models.WordPiece(VOCABULARY, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    names = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names).save_pretrained(folder)


def made_up_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Folder of a tiny encoder; the rows come from two made-up libraries, one of them all fruit."""
    monkeypatch.setenv("TRIADAPT_CACHE", str(tmp_path / "cache"))
    for library, half in (("alpha", WORDS[:6]), ("beta", WORDS[6:])):
        (tmp_path / library).mkdir()
        for module in range(8):
            functions = []
            for index in range(8):
                about = " ".join(half[(module * step + index) % 6] for step in range(1, 7))
                name = f"{half[index % 6]}{'xyz'[index % 3]}{'abcdefgh'[module]}"
                lead = f"{'qrstuvwx'[module]} {'ijklmnop'[index]}"
                functions.append(f'def {name}():\n    """{lead} {about}{" more" * index}."""\n')
            (tmp_path / library / f"part{module}.py").write_text("\n".join(functions), encoding="utf-8")
    libraries = [Library(name, tmp_path / name, "1.0") for name in ("alpha", "beta")]
    monkeypatch.setattr(rows_module, "find_libraries", lambda names: (libraries, []))
    write_tiny_encoder(tmp_path / "model")
    return str(tmp_path / "model")
