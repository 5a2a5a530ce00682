"""Extractive question answering with a frozen pretrained model and a head of two scores a token."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import nn

from triadapt.errors import ConfigError
from triadapt.events import Matrix
from triadapt.pretrained.lengths import check_tokens
from triadapt.pretrained.load import hidden_size, load
from triadapt.pretrained.matrices import adapted
from triadapt.pretrained.places import is_decoder
from triadapt.pretrained.source import MINILM
from triadapt.tasks.epochs import rows_of_step
from triadapt.tasks.qa.answers import answers
from triadapt.tasks.qa.model import SpanModel
from triadapt.tasks.qa.reading import read_questions, spread
from triadapt.tasks.qa.scores import scores
from triadapt.tasks.qa.settings import Settings
from triadapt.tasks.qa.windows import Windows

EVALUATION_BATCH = 32

Batch = dict[str, torch.Tensor]


class QuestionsTask:
    """SQuAD v2: the answer is a stretch of the context, or there is none. See `tasks.interface.Task`.

    A batch is of windows: a question with a stretch of its context. The loss is the mean of two cross-entropies, of the
    first and of the last token of the answer among the tokens of the context and the one that stands for no answer.
    Raises ConfigError when the model cannot be had, its tokenizer tells no places, or a file does not hold questions.
    """

    metric = "f1"
    higher_is_better = True
    pretrained = "encoder"
    loaded_by = "AutoModel"
    head = "the linear layer that gives each token of the last hidden state two scores, as first and last of the answer"

    def __init__(self, settings: Settings, *, seed: int, batch_size: int, steps: int, device: str) -> None:
        self.modules_to_save = ["qa_outputs"]
        self.pretrained_name = MINILM if settings.model == "minilm" else settings.model
        self._settings, self._seed, self._batch_size = settings, seed, batch_size
        self._device = torch.device(device)
        data = read_questions(settings)
        found = load(settings, "qa.model", "states", self._device)
        self._source, self._commit = found.source, found.revision
        check_tokens(found.model.config, settings.max_tokens, "qa.max_tokens")
        self._model = SpanModel(found.model, hidden_size(found.model, found.source), seed)
        self._matrices = adapted(self._model, self.pretrained, settings.adapt, "qa.adapt")
        self._scored = spread(data.dev, settings.eval_rows)
        config: Any = found.model.config
        cut: dict[str, Any] = {
            "most": settings.max_tokens, "stride": settings.stride,
            "decoder": is_decoder(config.model_type, getattr(config, "architectures", None) or []),
            "model_is": f"qa.model = {settings.model!r}",
        }  # fmt: skip
        self._train = Windows(found.tokenizer, data.train, **cut)
        self._dev = Windows(found.tokenizer, self._scored, **cut)
        if not len(self._train) or not len(self._dev):
            raise ConfigError([f"qa.model = {settings.model!r}: its tokenizer makes no tokens of these contexts"])
        self._facts = {
            "no_answer_token": self._train.null_is,
            "data_sha256": data.sha256,
            "rows": {"train": len(data.train), "dev": len(data.dev), "evaluated": len(self._scored)},
            "windows": {"train": len(self._train), "evaluated": len(self._dev)},
            **data.facts,
        }

    def build_model(self) -> nn.Module:
        """A copy of the pretrained model with its head. Nothing is shared between copies: merging an adapter writes
        into the frozen weights."""
        return copy.deepcopy(self._model).to(self._device)

    def matrices(self) -> list[Matrix]:
        return list(self._matrices)

    def batch(self, step: int) -> Batch:
        """Token tensors `(batch_size, longest row)`, `allowed` of the same shape and `spans` `(batch_size, 2)`."""
        return self._inputs(self._train, rows_of_step(step, self._batch_size, len(self._train), self._seed).tolist())

    def loss(self, model: nn.Module, batch: Batch) -> torch.Tensor:
        return self._losses(self._token_scores(model, batch), batch).mean()

    @torch.no_grad()
    def evaluate(self, model: nn.Module) -> dict[str, float]:
        windows = self._dev
        lengths = windows.lengths
        by_length = sorted(range(len(windows)), key=lambda row: lengths[row])
        found: list[torch.Tensor] = [torch.empty(0)] * len(windows)
        losses = 0.0
        for start in range(0, len(windows), EVALUATION_BATCH):
            rows = by_length[start : start + EVALUATION_BATCH]
            batch = self._inputs(windows, rows)
            token_scores = self._token_scores(model, batch)
            losses += self._losses(token_scores, batch).sum().item()
            for row, one in zip(rows, token_scores.cpu(), strict=True):
                found[row] = one
        given = answers(
            windows, found, self._scored, longest=self._settings.max_answer_tokens,
            threshold=self._settings.no_answer_threshold,
        )  # fmt: skip
        return {**scores(given, [question.answers for question in self._scored]), "loss": losses / len(windows)}

    def baselines(self) -> dict[str, float]:
        """F1 of never answering, which is the share of questions without an answer."""
        without = sum(not question.answers for question in self._scored)
        return {"no answer": without / len(self._scored)}

    def describe(self) -> dict[str, Any]:
        return {
            **self._facts,
            **self._settings.model_facts(),
            "model_sha256": self._source.sha256,
            "model_revision": self._commit,
        }

    def _inputs(self, windows: Windows, rows: list[int]) -> Batch:
        inputs = windows.padded(rows, self._device)
        allowed, spans = windows.places(rows, inputs["input_ids"].shape[1])
        return {**inputs, "allowed": allowed.to(self._device), "spans": spans.to(self._device)}

    @staticmethod
    def _token_scores(model: nn.Module, batch: Batch) -> torch.Tensor:
        """`(windows, tokens, 2)`; -inf where neither an answer nor its absence can be."""
        inputs = {name: tensor for name, tensor in batch.items() if name not in ("allowed", "spans")}
        found: torch.Tensor = model(**inputs)
        return found.float().masked_fill(~batch["allowed"].unsqueeze(-1), float("-inf"))

    @staticmethod
    def _losses(token_scores: torch.Tensor, batch: Batch) -> torch.Tensor:
        """`(windows,)`."""
        each = nn.functional.cross_entropy(token_scores, batch["spans"], reduction="none")  # over tokens
        return each.mean(1)
