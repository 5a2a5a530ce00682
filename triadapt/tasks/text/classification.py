"""Text classification with a frozen pretrained encoder, whatever the rows come from."""

from __future__ import annotations

import copy
import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from torch import nn

from triadapt.config import ConfigError
from triadapt.events import Matrix
from triadapt.tasks.text.cache_folder import cache_folder, cache_key, read_sealed, write_sealed
from triadapt.tasks.text.classifier import TextClassifier
from triadapt.tasks.text.encoder import MINILM, find_encoder, load_encoder, load_tokenizer
from triadapt.tasks.text.head_alone import head_alone_accuracy, share_right
from triadapt.tasks.text.labelled import LabelledText, Side
from triadapt.tasks.text.matrices import encoder_matrices
from triadapt.tasks.text.settings import EncoderSettings

EVALUATION_BATCH = 64
BASELINE_FORMAT = 1  # raise it whenever the head-alone training changes

Batch = dict[str, torch.Tensor]


class EncoderClassification:
    """A frozen pretrained encoder, an adapter and a fresh head. See `tasks.interface.Task`.

    data: the rows, which must not depend on the seed: runs of different seeds are scored on the same ones. section:
    name of the settings in a configuration, for errors. Raises ConfigError when the encoder cannot be had.
    """

    metric = "accuracy"
    higher_is_better = True
    pretrained = "encoder"

    def __init__(
        self,
        data: LabelledText,
        settings: EncoderSettings,
        *,
        section: str,
        seed: int,
        batch_size: int,
        steps: int,
        device: str,
    ) -> None:
        self.modules_to_save = ["classifier"]
        self.pretrained_name = MINILM if settings.model == "minilm" else settings.model
        self._settings, self._seed, self._batch_size, self._steps = settings, seed, batch_size, steps
        self._device = torch.device(device)
        self._data = data
        self._source = find_encoder(settings.model, field=f"{section}.model")
        self._tokenizer = load_tokenizer(self._source)
        encoder = load_encoder(self._source)
        hidden = getattr(encoder.config, "hidden_size", None)
        if not isinstance(hidden, int):
            raise ConfigError([f"{section}.model = {settings.model!r}: its configuration names no hidden_size"])
        self._model = TextClassifier(encoder, hidden, len(data.classes), settings.pooling, seed)
        scored = data.dev.head(settings.eval_rows)
        self._train, self._dev = self._tokenise(data.train), self._tokenise(scored)
        self._train_labels, self._dev_labels = torch.tensor(data.train.labels), torch.tensor(scored.labels)

    def build_model(self) -> nn.Module:
        """A copy of the pretrained classifier. Nothing is shared between copies: merging an adapter writes into the
        frozen weights."""
        return copy.deepcopy(self._model).to(self._device)

    def matrices(self) -> list[Matrix]:
        return encoder_matrices(self._model)

    def batch(self, step: int) -> Batch:
        """Token tensors `(batch_size, longest row)` and `labels` `(batch_size,)`."""
        rows = self._rows_of(step)
        return {**self._pad(self._train, rows.tolist()), "labels": self._train_labels[rows].to(self._device)}

    def loss(self, model: nn.Module, batch: Batch) -> torch.Tensor:
        inputs = {name: tensor for name, tensor in batch.items() if name != "labels"}
        return nn.functional.cross_entropy(model(**inputs), batch["labels"])

    @torch.no_grad()
    def evaluate(self, model: nn.Module) -> dict[str, float]:
        logits = self._over(model, self._dev)
        loss = nn.functional.cross_entropy(logits, self._dev_labels).item()
        return {"accuracy": share_right(logits, self._dev_labels), "loss": loss}

    def cached_baselines(self) -> dict[str, float] | None:
        """The baselines when they are known already, else None."""
        try:
            return {
                "majority": self._majority(),
                "head alone": float(json.loads(read_sealed(self._baseline_file()) or "null")),
            }
        except (TypeError, ValueError):
            return None

    @torch.no_grad()
    def baselines(self) -> dict[str, float]:
        """Accuracy of the most frequent training label and of the head without an adapter, trained with the same rows
        in the same order. The first call costs one forward pass over the rows used; the result is kept on disk."""
        known = self.cached_baselines()
        if known is not None:
            return known
        model = copy.deepcopy(self._model).to(self._device).eval()
        order = [self._rows_of(step) for step in range(self._steps)]
        used = torch.cat(order).unique()
        features = torch.zeros(len(self._train), model.classifier.in_features)
        features[used] = self._over(model.features, [self._train[row] for row in used.tolist()])
        dev_features = self._over(model.features, self._dev)
        accuracy = head_alone_accuracy(
            model.classifier.to("cpu"), features, self._train_labels, order, dev_features, self._dev_labels
        )
        write_sealed(self._baseline_file(), json.dumps(accuracy))
        return {"majority": self._majority(), "head alone": accuracy}

    def describe(self) -> dict[str, Any]:
        return {
            "data_sha256": self._data.sha256,
            "classes": list(self._data.classes),
            "rows": {"train": len(self._train), "dev": len(self._data.dev.labels), "evaluated": len(self._dev)},
            **self._data.facts,
            "model": self._settings.model,
            "model_sha256": self._source.sha256,
            "model_revision": self._revision(),
        }

    def _revision(self) -> str:
        return getattr(self._model.encoder.config, "_commit_hash", None) or ""

    def _tokenise(self, side: Side) -> list[dict[str, list[int]]]:
        limits = {"truncation": True, "max_length": self._settings.max_tokens}
        texts = (side.first,) if side.second is None else (side.first, side.second)
        encoded = self._tokenizer(*map(list, texts), **limits)
        return [{name: column[row] for name, column in encoded.items()} for row in range(len(side.labels))]

    def _rows_of(self, step: int) -> torch.Tensor:
        """Row numbers of a step: the steps walk through one seeded permutation an epoch, end to end."""
        count = len(self._train)
        positions = range(step * self._batch_size, (step + 1) * self._batch_size)
        epochs = {
            epoch: np.random.default_rng([self._seed, epoch]).permutation(count)
            for epoch in range(positions[0] // count, positions[-1] // count + 1)
        }
        return torch.tensor([int(epochs[position // count][position % count]) for position in positions])

    def _pad(self, table: list[dict[str, list[int]]], rows: list[int]) -> Batch:
        longest = max(len(table[row]["input_ids"]) for row in rows)
        inputs = {}
        for name in table[rows[0]]:
            filler = (self._tokenizer.pad_token_id or 0) if name == "input_ids" else 0
            padded = [table[row][name] + [filler] * (longest - len(table[row][name])) for row in rows]
            inputs[name] = torch.tensor(padded).to(self._device)
        return inputs

    def _over(self, function: Any, table: list[dict[str, list[int]]]) -> torch.Tensor:
        """`function(**inputs)` of every row, `(rows, ...)` on the CPU, computed in order of length to pad little."""
        by_length = sorted(range(len(table)), key=lambda row: len(table[row]["input_ids"]))
        chunks = [by_length[start : start + EVALUATION_BATCH] for start in range(0, len(table), EVALUATION_BATCH)]
        outputs = torch.cat([function(**self._pad(table, chunk)).float().cpu() for chunk in chunks])
        return outputs[torch.tensor(by_length).argsort()]

    def _majority(self) -> float:
        # Ties go to the smaller label, not to whichever was counted first.
        label, _ = max(sorted(Counter(self._train_labels.tolist()).items()), key=lambda item: item[1])
        return int((self._dev_labels == label).sum()) / len(self._dev_labels)

    def _baseline_file(self) -> Path:
        facts = {
            **self.describe(),
            "format": BASELINE_FORMAT,
            "max_tokens": self._settings.max_tokens,
            "pooling": self._settings.pooling,
            "seed": self._seed,
            "batch_size": self._batch_size,
            "steps": self._steps,
            "device": self._device.type,
            "torch": torch.__version__,
            "transformers": transformers.__version__,
        }
        return cache_folder() / f"baseline-{cache_key(facts)}.json"
