"""Causal language modelling with a frozen pretrained decoder and an adapter."""

from __future__ import annotations

import copy
import hashlib
import math
from typing import Any

import torch
from torch import nn

from triadapt.errors import ConfigError
from triadapt.events import Matrix
from triadapt.pretrained.lengths import check_tokens
from triadapt.pretrained.load import load
from triadapt.pretrained.look import fetched_look
from triadapt.pretrained.matrices import adapted
from triadapt.tasks.causal.blocks import Packing, both_sides
from triadapt.tasks.causal.documents import no_decoder
from triadapt.tasks.causal.settings import Settings
from triadapt.tasks.epochs import rows_of_step

EVALUATION_TOKENS = 2048  # a batch
MOST_LOSS = 20.0
"""Where perplexity stops: e to this, half a billion, is beyond any vocabulary."""


class CausalTask:
    """Text of the user's, packed into blocks; the loss is the mean over tokens of what the next one surprised by. See
    `tasks.interface.Task`.

    Raises ConfigError when the model cannot be had or is no decoder, or where the text is none or too little.
    """

    metric = "perplexity"
    higher_is_better = False
    pretrained = ""
    loaded_by = "AutoModelForCausalLM"
    head = ""

    def __init__(self, settings: Settings, *, seed: int, batch_size: int, steps: int, device: str) -> None:
        self.modules_to_save: list[str] = []
        self.pretrained_name = settings.model
        self._settings, self._seed, self._batch_size = settings, seed, batch_size
        self._device = torch.device(device)
        lines = settings.check(None)
        if lines:
            raise ConfigError(lines)
        look = fetched_look(settings.model, "causal.model", settings.revision)
        if not look.decoder:  # transformers would make a head of random weights for it
            raise ConfigError([no_decoder(settings, look.model_type)])
        found = load(settings, "causal.model", "causal", self._device)
        self._source, self._commit, self._model = found.source, found.revision, found.model
        config: Any = found.model.config
        check_tokens(config, settings.block, "causal.block")
        self._matrices = adapted(self._model, "", settings.adapt, "causal.adapt")
        embedding: Any = found.model.get_input_embeddings()  # type: ignore[operator]
        packing = Packing(found.tokenizer, embedding.num_embeddings, f"causal.model = {settings.model!r}")
        train, dev, self._held_out = both_sides(settings, packing)
        self._train, self._dev = torch.from_numpy(train).long(), torch.from_numpy(dev).long()
        self._marks = {"begin": packing.begin, "end": packing.end}
        self._sha256 = hashlib.sha256(train.tobytes() + b"|" + dev.tobytes()).hexdigest()
        self._frozen: float | None = None

    def build_model(self) -> nn.Module:
        """A copy of the pretrained model. Nothing is shared between copies: merging an adapter writes into the frozen
        weights."""
        return copy.deepcopy(self._model).to(self._device)

    def matrices(self) -> list[Matrix]:
        return list(self._matrices)

    def batch(self, step: int) -> torch.Tensor:
        """Token numbers `(batch_size, block)`."""
        return self._train[rows_of_step(step, self._batch_size, len(self._train), self._seed)].to(self._device)

    def loss(self, model: nn.Module, batch: torch.Tensor) -> torch.Tensor:
        logits = model(input_ids=batch).logits[:, :-1]
        return nn.functional.cross_entropy(logits.flatten(0, 1).float(), batch[:, 1:].flatten())

    @torch.no_grad()
    def evaluate(self, model: nn.Module) -> dict[str, float]:
        blocks = max(1, EVALUATION_TOKENS // self._settings.block)
        total = 0.0
        for part in self._dev.split(blocks):
            total += self.loss(model, part.to(self._device)).item() * len(part)
        loss = total / len(self._dev)
        return {self.metric: math.exp(min(loss, MOST_LOSS)), "loss": loss}

    def baselines(self) -> dict[str, float]:
        """Perplexity of the frozen model."""
        if self._frozen is None:
            self._frozen = self.evaluate(self.build_model().eval())[self.metric]
        return {"no adapter": self._frozen}

    def describe(self) -> dict[str, Any]:
        settings = self._settings
        return {
            "data_sha256": self._sha256,
            "files": {side: getattr(settings, side).rpartition("/")[2] for side in ("train", "dev")},
            "blocks": {"train": len(self._train), "evaluated": len(self._dev)},
            "block": settings.block,
            "held_out": self._held_out,
            "tokens_around_a_document": self._marks,
            **settings.model_facts(),
            "model_sha256": self._source.sha256,
            "model_revision": self._commit,
        }
