"""Models and methods of `benchmarks.step_time`: a frozen encoder from its configuration, and around it everything that
takes part, each with an optimizer of its own. The frozen weights are shared between them."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from peft import AdaLoraConfig, LoraConfig, get_peft_model
from torch import nn
from transformers import BertConfig, BertForSequenceClassification, DebertaV2Config, DebertaV2ForSequenceClassification

from triadapt.config import RunConfig, parse_config
from triadapt.events import Matrix
from triadapt.methods.registry import METHODS
from triadapt.reference import Block, TriAdaptLoraTwin, dense_forward

RANK = 4
VOCABULARY, LABELS, LEARNING_RATE = 500, 4, 1e-4
ADAPTED = ("query", "key", "value", "query_proj", "key_proj", "value_proj", "intermediate.dense", "output.dense")

LORA, DENSE = "LoRA (PEFT)", "TriAdaptLoRA, dW formed densely"
FLOOR, POSITIONS = "no adapter (floor)", "no adapter, gradients of positions"
TRIADAPT, GREW = "TriAdaptLoRA", "TriAdaptLoRA, grown under its optimizer"
SCORED, FULL = "IncreLoRA, scored every step", "IncreLoRA, budget reached"
ADALORA = "AdaLoRA (PEFT)"


@dataclass(frozen=True)
class Size:
    """One encoder, the shape of its batches, and the share of the rounds that its longer steps leave time for."""

    label: str
    build: Callable[[], Any]
    batch: int
    tokens: int
    share: float


def _minilm() -> Any:
    return BertForSequenceClassification(BertConfig(
        hidden_size=384, num_hidden_layers=6, num_attention_heads=12, intermediate_size=1536, vocab_size=VOCABULARY,
        num_labels=LABELS, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
    ))  # fmt: skip


def _deberta() -> Any:
    # What microsoft/deberta-v3-base sets on top of the defaults of DeBERTa-v2, dropout aside.
    return DebertaV2ForSequenceClassification(DebertaV2Config(
        hidden_size=768, num_hidden_layers=12, num_attention_heads=12, intermediate_size=3072, vocab_size=VOCABULARY,
        num_labels=LABELS, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, pooler_hidden_size=768,
        relative_attention=True, position_buckets=256, norm_rel_ebd="layer_norm", share_att_key=True,
        pos_att_type=["p2c", "c2p"], position_biased_input=False, max_relative_positions=-1,
    ))  # fmt: skip


SIZES = (Size("BERT-MiniLM", _minilm, 16, 36, 1.0), Size("DeBERTaV3-base", _deberta, 4, 64, 1 / 3))


class Contestant:
    """A model, its optimizer, and one training step of it."""

    def __init__(self, model: Any, *, run: Any = None, loss: Callable[..., Any] | None = None) -> None:
        self.model, self.run, self.number = model, run, 0
        self._loss = loss or (lambda ids, labels: model(input_ids=ids, labels=labels).loss)
        self.optimizer: Any = None

    def optimise(self, trained: list[nn.Parameter] | None = None) -> None:
        """Make the optimizer, of all that is trained when nothing is named."""
        trained = trained or [parameter for parameter in self.model.parameters() if parameter.requires_grad]
        self.optimizer = torch.optim.AdamW(trained, lr=LEARNING_RATE, weight_decay=0.0, fused=True)

    def loss(self, ids: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Loss of one batch of token ids `(batch, tokens)` and labels `(batch,)`, the method's own terms included."""
        loss: torch.Tensor = self._loss(ids, labels)
        extra = self.run.regulariser() if self.run is not None else None
        return loss if extra is None else loss + extra

    def step(self, ids: torch.Tensor, labels: torch.Tensor) -> None:
        """Forward, backward, scores if the method takes any, optimizer."""
        self.loss(ids, labels).backward()  # type: ignore[no-untyped-call]
        if self.run is not None:
            self.run.before_step(self.number)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.number += 1


def frozen(size: Size) -> nn.Module:
    """The encoder with its head, nothing in it trained, weights from seed 0."""
    torch.manual_seed(0)
    base: nn.Module = size.build().requires_grad_(False).train()
    return base


def twin_of(base: nn.Module) -> Any:
    """A copy of the modules that shares the parameters, but for a head of its own."""
    known: dict[int, Any] = {id(tensor): tensor for tensor in [*base.parameters(), *base.buffers()]}
    for parameter in base.get_submodule("classifier").parameters():
        del known[id(parameter)]
    return copy.deepcopy(base, known)


def adapted(base: nn.Module) -> list[Matrix]:
    """The linear layers that are adapted, six a block."""
    return [
        Matrix(
            name,
            int(next(part for part in name.split(".") if part.isdigit())),
            name,
            (module.out_features, module.in_features),
        )
        for name, module in base.named_modules()
        if isinstance(module, nn.Linear) and name.endswith(tuple(f".{suffix}" for suffix in ADAPTED))
    ]


def _floor(base: nn.Module, *, positions: bool) -> Contestant:
    """Backward down to one bias of the embeddings, and no gradient of a matrix. With `positions` gradients also arrive
    where queries and keys are made, those of the table of relative positions included, as any adapter of them needs."""
    model = twin_of(base)
    biases = ["embeddings.LayerNorm", *(("query_proj", "key_proj") if positions else ())]
    for name, module in model.named_modules():
        if name.endswith(tuple(biases)):
            module.bias = nn.Parameter(module.bias.detach().clone())
    model.classifier.requires_grad_(True)
    made = Contestant(model)
    made.optimise()
    return made


def _peft(base: nn.Module, config: Any) -> Contestant:
    made = Contestant(get_peft_model(twin_of(base), config))
    made.optimise()
    return made


def config_of(method: str) -> RunConfig:
    """Settings of a run in which rank 4 a matrix is half of the budget, so that growth is still due."""
    return parse_config({"method": method, "reference_rank": 2 * RANK, "add_r": 1, "alpha": 2.0 * RANK})


def growing(base: nn.Module, method: str, *, after_the_optimizer: bool) -> Contestant:
    """One of this project's methods, grown one rank at a time to rank 4. Growth under a living optimizer costs more
    afterwards: the steps of new entries are corrected (`FreshSteps`)."""
    matrices = adapted(base)
    config, run_class = config_of(method), METHODS[method].run_class()
    run: Any = run_class(run_class.adapt(twin_of(base), matrices, config, ["classifier"]), matrices, config)
    made = Contestant(run.model, run=run)
    made.optimise()
    run.bind_optimizer(made.optimizer)
    for gain in range(RANK - 1):
        with torch.no_grad():
            for index in range(len(matrices)):
                run.grow(index, 1, torch.Generator().manual_seed(gain))
    if not after_the_optimizer:
        made.optimise()
    return made


def _budget_reached(base: nn.Module) -> Contestant:
    made = growing(base, "increlora", after_the_optimizer=False)
    for layer in made.run.layers:
        layer.observing, layer.observed = False, None
        layer.set_used("default", layer.used("default"), reserve_on=False)
    return made


def _dense(base: nn.Module) -> Contestant:
    """The slow twin: `W + s B (L + U) A` is formed for every matrix at every forward pass."""
    model = twin_of(base)
    model.classifier.requires_grad_(True)
    generator = torch.Generator().manual_seed(0)

    def block(matrix: Matrix, old: int) -> Block:
        out, inside = matrix.shape
        shapes = ((1, inside), (out, 1), (1, old + 1), (old + 1, 1))
        return Block(*(nn.Parameter(torch.randn(shape, generator=generator) * 0.02) for shape in shapes))

    blocks = {matrix.name: [block(matrix, old) for old in range(RANK)] for matrix in adapted(base)}
    twin = TriAdaptLoraTwin(blocks, alpha=2.0 * RANK, reference_rank=2 * RANK)
    made = Contestant(model, loss=lambda ids, labels: dense_forward(
        model, twin.deltas(), input_ids=ids, labels=labels).loss)  # fmt: skip
    made.optimise([*twin.parameters(), *model.classifier.parameters()])  # type: ignore[list-item]
    return made


def contestants(base: nn.Module) -> dict[str, Callable[[], Contestant]]:
    """How to make each contestant around `base`, by label."""
    targets = [matrix.name for matrix in adapted(base)]
    relative = any("rel_embeddings" in name for name, _ in base.named_parameters())
    lora = LoraConfig(r=RANK, lora_alpha=RANK, target_modules=targets, modules_to_save=["classifier"])
    adalora = AdaLoraConfig(
        init_r=RANK, target_r=RANK // 2, lora_alpha=RANK, total_step=10_000, target_modules=targets,
        modules_to_save=["classifier"],
    )  # fmt: skip
    return {
        LORA: lambda: _peft(base, lora),
        TRIADAPT: lambda: growing(base, "triadaptlora", after_the_optimizer=False),
        GREW: lambda: growing(base, "triadaptlora", after_the_optimizer=True),
        DENSE: lambda: _dense(base),
        SCORED: lambda: growing(base, "increlora", after_the_optimizer=False),
        FULL: lambda: _budget_reached(base),
        ADALORA: lambda: _peft(base, adalora),
        FLOOR: lambda: _floor(base, positions=False),
        **({POSITIONS: lambda: _floor(base, positions=True)} if relative else {}),
    }
