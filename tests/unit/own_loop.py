"""A training loop such as anybody writes, over a small BERT, for the tests of `RankGrowth`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import Accelerator
from peft import AdaLoraConfig, PeftConfig, PeftModel, get_peft_model
from transformers import BertConfig, BertForSequenceClassification

from triadapt import IncreLoraConfig, RankGrowth, TriAdaptLoraConfig

PEFT_WARNINGS = [
    # PEFT 0.21 still asks transformers 5 for an attribute by its old name, and takes a rank of 0 for a lost shard.
    pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning"),
    pytest.mark.filterwarnings("ignore:Adapter 'default'.*invalid shape"),
    # Nor does it know its own AdaLoRA's keys when it checks those of LoRA.
    pytest.mark.filterwarnings("ignore:The following rank_pattern keys did not match:RuntimeWarning"),
    # A few dozen steps are too few for some budgets.
    pytest.mark.filterwarnings("ignore:the budget of .* is not reached:UserWarning"),
]
ADAPTIVE = pytest.mark.parametrize("method", ["triadaptlora", "increlora", "adalora"])
GROWING = pytest.mark.parametrize("method", ["triadaptlora", "increlora"])

STEPS = 40
TARGETS = ["query", "value", "output.dense"]
MakeOptimizer = Callable[[list[torch.nn.Parameter]], torch.optim.Optimizer]


def base() -> Any:
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=32, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32,
        max_position_embeddings=16, num_labels=3, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
    )  # fmt: skip
    return BertForSequenceClassification(config)


def peft_config(method: str, **values: Any) -> PeftConfig:
    shared = {"target_modules": TARGETS, "modules_to_save": ["classifier"]}
    if method == "adalora":
        schedule = {"tinit": 4, "tfinal": 10, "deltaT": 4, "total_step": STEPS, "init_r": 5, "target_r": 3}
        return AdaLoraConfig(**(schedule | shared | values))
    kind = {"triadaptlora": TriAdaptLoraConfig, "increlora": IncreLoraConfig}[method]
    return kind(**({"reference_rank": 3} | shared | values))


def schedule(method: str) -> dict[str, Any]:
    if method == "adalora":
        return {"total_step": STEPS}
    return {"total_step": STEPS, "warmup": 3, "interval": 3, "growth": "non-linear", "top_h": 3}


def adamw(parameters: list[torch.nn.Parameter]) -> torch.optim.Optimizer:
    return torch.optim.AdamW(parameters, lr=0.01, weight_decay=0.01)


class Loop:
    """Model, optimizer, a scheduler made before anything grows, and the one line that lets rank change."""

    def __init__(
        self, method: str, make: MakeOptimizer = adamw, *, loaded: Path | None = None,
        prepare: Accelerator | None = None, **given: Any,
    ) -> None:  # fmt: skip
        model = PeftModel.from_pretrained(base(), loaded, is_trainable=True) if loaded else None
        self.model: Any = model if model is not None else get_peft_model(base(), peft_config(method))
        self.optimizer = make([p for p in self.model.parameters() if p.requires_grad])
        self.scheduler = torch.optim.lr_scheduler.LambdaLR(self.optimizer, lambda step: 1 - step / STEPS)
        if loaded:
            state = torch.load(loaded / "optimizer.pt", weights_only=True)
            self.optimizer.load_state_dict(state["optimizer"])
            self.scheduler.load_state_dict(state["scheduler"])
        if prepare is not None:
            self.model, self.optimizer = prepare.prepare(self.model, self.optimizer)
        self.growth = RankGrowth(self.model, self.optimizer, **(schedule(method) | given))
        self.losses: list[float] = []

    def hooks(self) -> int:
        """How many hooks hang on the optimizer and on the modules of the model."""
        optimizer: Any = self.optimizer
        found = len(optimizer._optimizer_step_pre_hooks) + len(optimizer._optimizer_step_post_hooks)
        found += len(optimizer._optimizer_state_dict_post_hooks) + len(optimizer._optimizer_load_state_dict_post_hooks)
        return found + sum(len(module._forward_hooks) for module in self.model.modules())

    def save(self, folder: Path) -> None:
        self.model.save_pretrained(str(folder))
        state = {"optimizer": self.optimizer.state_dict(), "scheduler": self.scheduler.state_dict()}
        torch.save(state, folder / "optimizer.pt")

    def train(self, steps: int, *, accumulate: int = 1) -> Loop:
        self.model.train()
        for step in range(self.growth.step, self.growth.step + steps):
            self.losses.append(0.0)
            for part in range(accumulate):
                loss = self.model(**batch(step * accumulate + part)).loss / accumulate
                loss.backward()
                self.losses[-1] += float(loss.detach())
            self.optimizer.step()
            self.scheduler.step()
            self.optimizer.zero_grad()
        return self

    def weights(self) -> dict[str, torch.Tensor]:
        return {name: p.detach().clone() for name, p in self.model.named_parameters() if p.requires_grad}


def batch(step: int) -> dict[str, torch.Tensor]:
    """One of four, over and over, so that a few dozen steps learn them."""
    generator = torch.Generator().manual_seed(step % 4)
    ids = torch.randint(0, 32, (8, 8), generator=generator)
    return {"input_ids": ids, "labels": (ids[:, 0] > 15).long() + (ids[:, 1] > 15).long()}


def growth_over(model: Any, optimizer: torch.optim.Optimizer | None = None, **given: Any) -> RankGrowth:
    made = optimizer or torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
    return RankGrowth(model, made, **(schedule("triadaptlora") | given))
