"""Optimizer steps counted from epochs against the Trainer's own count."""

import random
from typing import Any

import pytest
import torch
from accelerate.data_loader import BatchSamplerShard
from torch.utils.data import BatchSampler, DataLoader, SequentialSampler
from transformers import Trainer, TrainingArguments

from triadapt.growth.target_matrices import target_matrices
from triadapt.growth.trainer_steps import TrainerSteps


class Sharded:
    """The rows of one process, as accelerate deals them out."""

    def __init__(self, rows: int, batch: int, processes: int, drop_last: bool) -> None:
        sampler = BatchSampler(SequentialSampler(range(rows)), batch, drop_last)
        self.loader = DataLoader(range(rows), batch_sampler=BatchSamplerShard(sampler, processes, 0))  # type: ignore[arg-type]
        self.dataset = self.loader.dataset

    def __len__(self) -> int:
        return len(self.loader)


def test_steps_are_counted_as_the_trainer_counts_them(tmp_path: Any) -> None:
    args = TrainingArguments(output_dir=str(tmp_path), use_cpu=True, report_to=[])
    trainer = Trainer(torch.nn.Linear(1, 1), args)
    rng = random.Random(4)
    for _ in range(300):
        drop_last = rng.random() < 0.3
        given = (rng.choice([1, 2, 3, 0.5, 1.5, 2.7]), rng.randint(1, 3000), rng.randint(1, 64), rng.randint(1, 16),
                 rng.randint(1, 6))  # fmt: skip
        epochs, rows, batch, accumulation, processes = given
        loader: Any = Sharded(rows, batch, processes, drop_last)
        args.num_train_epochs, args.gradient_accumulation_steps = epochs, accumulation
        if len(loader) == 0:
            with pytest.raises(ValueError, match="fewer than one batch"):
                TrainerSteps(*given, drop_last=drop_last)
            continue
        counted = TrainerSteps(*given, drop_last=drop_last)
        found = trainer.set_initial_training_values(args, loader)
        assert (counted.steps_per_epoch, counted.batches, counted.steps) == (found[1], found[5], found[6]), given


def test_the_arithmetic_is_one_line() -> None:
    assert TrainerSteps(3, 67349, 32, 4).line() == (
        "67,349 rows / 32 a batch, rounded up: 2,105 batches an epoch; / 4 accumulated, rounded up: 527 optimizer "
        "steps; x 3 epochs: 1,581 optimizer steps"
    )
    assert TrainerSteps(1.5, 100, 8, processes=2, drop_last=True).line() == (
        "100 rows / 8 a batch / 2 processes, rounded down: 6 batches an epoch; x 1.5 epochs: 9 optimizer steps"
    )


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ((0, 10, 1), "epochs = 0: must be above 0"),
        ((1, 0, 1), "rows = 0: must be at least 1"),
        ((1, 10, 0), "batch_size = 0: must be at least 1"),
        ((float("nan"), 10, 1), "epochs = nan: must be above 0"),
        ((1, 10, 1, 0), "accumulation = 0"),
        ((1, 10, 1, 1, 0), "processes = 0"),
    ],
)
def test_a_training_that_cannot_be_is_refused_with_the_field(given: tuple[Any, ...], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        TrainerSteps(*given)


def test_matrices_are_modules_times_layers() -> None:
    found = target_matrices(12, " query 768x768, dense 768 x 3072 ,")
    assert (found.count, found.names) == (24, ["query", "dense"])
    assert found.shapes == [(768, 768), (3072, 768)] * 12
    assert target_matrices(2, "query, value 4x4").shapes is None and target_matrices(2, "query").count == 2


@pytest.mark.parametrize(
    ("layers", "modules", "said"),
    [
        (0, "query", "layers = 0: must be from 1 to 1000"),
        (1, " , ", "name 1 to 64"),
        (1, "query 768", "modules = 'query 768': expected a name and in x out"),
        (1, "768x768", "expected a name and in x out"),
        (1, "query 0x5", "sizes must be from 1 to"),
        (1, "query, query 3x3", "modules = 'query': named twice"),
    ],
)
def test_modules_that_cannot_be_read_are_named(layers: int, modules: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        target_matrices(layers, modules)
