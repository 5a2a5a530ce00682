"""Classification and regression of texts with a frozen pretrained model, whatever the rows come from."""

from __future__ import annotations

import copy
import json
from collections import Counter
from pathlib import Path
from typing import Any

import torch
import transformers
from torch import nn

from triadapt.events import Matrix
from triadapt.pretrained.lengths import check_tokens
from triadapt.pretrained.load import hidden_size, load
from triadapt.pretrained.matrices import adapted
from triadapt.pretrained.source import MINILM
from triadapt.tasks.cache_folder import cache_folder, cache_key, read_sealed, write_sealed
from triadapt.tasks.epochs import rows_of_step
from triadapt.tasks.labelled.classifier import TextClassifier, pooling_of
from triadapt.tasks.labelled.head_alone import head_alone
from triadapt.tasks.labelled.metrics import all_of, measure, predicted, training_loss
from triadapt.tasks.labelled.rows import LabelledText
from triadapt.tasks.labelled.settings import LabelledSettings, TableSettings
from triadapt.tasks.labelled.tokens import Tokens

EVALUATION_BATCH = 64
BASELINE_FORMAT = 3  # raise it whenever the head-alone training changes

Batch = dict[str, torch.Tensor]


class LabelledTask:
    """A frozen pretrained model, an adapter and a fresh head. See `tasks.interface.Task`.

    data: the rows, which must not depend on the seed: runs of different seeds are scored on the same ones. section:
    name of the settings in a configuration, for errors. Raises ConfigError when the model cannot be had.
    """

    higher_is_better = True
    pretrained = "encoder"
    loaded_by = "AutoModel"
    head = "the classifier that was trained on the model's pooled output"

    def __init__(
        self,
        data: LabelledText,
        settings: LabelledSettings,
        *,
        section: str,
        seed: int,
        batch_size: int,
        steps: int,
        device: str,
    ) -> None:
        self.modules_to_save = ["classifier"]
        self.metric, _ = settings.measured()
        self.pretrained_name = MINILM if settings.model == "minilm" else settings.model
        self._settings, self._seed, self._batch_size, self._steps = settings, seed, batch_size, steps
        self._section, self._kind = section, settings.of_kind
        self._device = torch.device(device)
        self._data = data
        found = load(settings, f"{section}.model", "states", self._device)
        self._source, self._commit = found.source, found.revision
        self._pooling = pooling_of(settings.pooling, found.model.config, f"{section}.pooling")
        check_tokens(found.model.config, settings.max_tokens, f"{section}.max_tokens")
        self._model = TextClassifier(
            found.model, hidden_size(found.model, found.source), max(1, len(data.classes)), self._pooling, seed,
            settings.head_dropout,
        )  # fmt: skip
        self._matrices = adapted(self._model, self.pretrained, settings.adapt, f"{section}.adapt")
        # A table may be sorted; rows of ours come in a drawn order.
        table = isinstance(settings, TableSettings)
        scored = (data.dev.spread if table else data.dev.head)(settings.eval_rows)
        self._train = Tokens(found.tokenizer, data.train, settings.max_tokens)
        self._dev = Tokens(found.tokenizer, scored, settings.max_tokens)
        kind = torch.float32 if self._kind == "regression" else torch.int64
        self._train_labels = torch.tensor(data.train.labels, dtype=kind)
        self._dev_labels = torch.tensor(scored.labels, dtype=kind)

    def build_model(self) -> nn.Module:
        """A copy of the pretrained classifier. Nothing is shared between copies: merging an adapter writes into the
        frozen weights."""
        return copy.deepcopy(self._model).to(self._device)

    def matrices(self) -> list[Matrix]:
        return list(self._matrices)

    def batch(self, step: int) -> Batch:
        """Token tensors `(batch_size, longest row)` and `labels` `(batch_size,)`."""
        rows = self._rows_of(step)
        return {
            **self._train.padded(rows.tolist(), self._device), "labels": self._train_labels[rows].to(self._device)
        }  # fmt: skip

    def loss(self, model: nn.Module, batch: Batch) -> torch.Tensor:
        inputs = {name: tensor for name, tensor in batch.items() if name != "labels"}
        return training_loss(self._kind, model(**inputs), batch["labels"])

    @torch.no_grad()
    def evaluate(self, model: nn.Module) -> dict[str, float]:
        outputs = self._over(model, self._dev)
        loss = training_loss(self._kind, outputs, self._dev_labels).item()
        found = all_of(self._kind, self.metric, outputs, self._dev_labels, len(self._data.classes))
        if not isinstance(self._settings, TableSettings):
            found = {self.metric: found[self.metric]}
        return {**found, "loss": loss}

    def cached_baselines(self) -> dict[str, float] | None:
        """The baselines when they are known already, else None."""
        if not self._settings.head_alone:
            return self._majority()
        try:
            return {**self._majority(), "head alone": float(json.loads(read_sealed(self._baseline_file()) or "null"))}
        except (TypeError, ValueError):
            return None

    @torch.no_grad()
    def baselines(self) -> dict[str, float]:
        """The metric of the most frequent training label (of classes), and of the head without an adapter, trained with
        the same rows in the same order. The first call costs one forward pass over the rows used; the result is kept
        on disk."""
        known = self.cached_baselines()
        if known is not None:
            return known
        model = copy.deepcopy(self._model).to(self._device).eval()
        order = [self._rows_of(step) for step in range(self._steps)]
        used = torch.cat(order).unique()
        features = torch.zeros(len(self._train), model.hidden)
        features[used] = self._over(model.features, self._train, used.tolist())
        dev_features = self._over(model.features, self._dev)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self._seed)  # dropout of the head
            outputs = head_alone(
                model.classifier.to("cpu").train(), features, self._train_labels, order, dev_features,
                lambda outputs, labels: training_loss(self._kind, outputs, labels),
            )  # fmt: skip
        value = self._measure(predicted(self._kind, outputs))
        write_sealed(self._baseline_file(), json.dumps(value))
        return {**self._majority(), "head alone": value}

    def describe(self) -> dict[str, Any]:
        return {
            "data_sha256": self._data.sha256,
            "classes": list(self._data.classes),
            "rows": {"train": len(self._train), "dev": len(self._data.dev.labels), "evaluated": len(self._dev)},
            **self._data.facts,
            **self._settings.model_facts(),
            "pooling": self._pooling,
            "model_sha256": self._source.sha256,
            "model_revision": self._commit,
        }

    def _rows_of(self, step: int) -> torch.Tensor:
        return rows_of_step(step, self._batch_size, len(self._train), self._seed)

    def _over(self, function: Any, table: Tokens, rows: list[int] | None = None) -> torch.Tensor:
        """`function(**inputs)` of rows (default: all), `(rows, ...)` on the CPU, computed in order of length to pad
        little."""
        rows = list(range(len(table))) if rows is None else rows
        by_length = sorted(range(len(rows)), key=lambda place: table.lengths[rows[place]])
        chunks = [by_length[start : start + EVALUATION_BATCH] for start in range(0, len(rows), EVALUATION_BATCH)]
        outputs = torch.cat(
            [function(**table.padded([rows[place] for place in chunk], self._device)).float().cpu() for chunk in chunks]
        )
        return outputs[torch.tensor(by_length).argsort()]

    def _majority(self) -> dict[str, float]:
        if self._kind == "regression":
            return {}  # a constant guess correlates with nothing
        # Ties go to the smaller label, not to whichever was counted first.
        label, _ = max(sorted(Counter(self._train_labels.tolist()).items()), key=lambda item: item[1])
        return {"majority": self._measure(torch.full_like(self._dev_labels, label))}

    def _measure(self, predictions: torch.Tensor) -> float:
        return measure(self.metric, predictions, self._dev_labels, len(self._data.classes))

    def _baseline_file(self) -> Path:
        facts = {
            **self.describe(),
            "format": BASELINE_FORMAT,
            "metric": self.metric,
            "max_tokens": self._settings.max_tokens,
            "head_dropout": self._settings.head_dropout,
            "dropout": self._settings.dropout,
            "autocast": torch.is_autocast_enabled(self._device.type),
            "seed": self._seed,
            "batch_size": self._batch_size,
            "steps": self._steps,
            "device": self._device.type,
            "torch": torch.__version__,
            "transformers": transformers.__version__,
        }
        return cache_folder() / f"baseline-{cache_key(facts)}.json"
