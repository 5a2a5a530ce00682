"""What a user's script looks like: a Trainer, a PEFT model, one callback. Run by the tests in a process of its own.

python tests/unit/train_with_trainer.py METHOD OPTIMIZER FOLDER [--kill-at N] [--resume]
"""

import argparse
import os
import signal
from pathlib import Path
from typing import Any

import torch
from peft import AdaLoraConfig, PeftConfig, get_peft_model
from transformers import BertConfig, BertForSequenceClassification, Trainer, TrainerCallback, TrainingArguments

from triadapt import IncreLoraConfig, RankGrowthCallback, TriAdaptLoraConfig

TARGETS = ["query", "key", "value", "output.dense"]


def rows(count: int = 96) -> list[dict[str, Any]]:
    generator = torch.Generator().manual_seed(3)
    ids = torch.randint(0, 32, (count, 8), generator=generator)
    return [{"input_ids": row, "labels": int(row.sum()) % 3} for row in ids]


def adapter(method: str, steps: int) -> tuple[PeftConfig, RankGrowthCallback]:
    shared = {"target_modules": TARGETS, "modules_to_save": ["classifier"]}
    growing = RankGrowthCallback(warmup=10, interval=10, growth="non-linear")
    if method == "triadaptlora":
        return TriAdaptLoraConfig(reference_rank=3, **shared), growing
    if method == "increlora":
        return IncreLoraConfig(reference_rank=3, **shared), growing
    schedule = {"tinit": 10, "tfinal": steps // 10, "deltaT": 10, "total_step": steps}
    return AdaLoraConfig(init_r=5, target_r=3, **schedule, **shared), RankGrowthCallback()


class Kill(TrainerCallback):  # type: ignore[misc]
    """Dies like a machine that loses power, once the checkpoint of that step is written."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.global_step == self.step:
            os.kill(os.getpid(), signal.SIGKILL)


def base() -> Any:
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=32, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32,
        max_position_embeddings=16, num_labels=3,
    )  # fmt: skip
    return BertForSequenceClassification(config)


def trainer(method: str, optimizer: str, folder: Path, steps: int, **more: Any) -> tuple[Trainer, RankGrowthCallback]:
    model = base()
    config, callback = adapter(method, steps)
    sgd = optimizer == "sgd"
    args = TrainingArguments(
        output_dir=str(folder), max_steps=steps, per_device_train_batch_size=8, learning_rate=5e-3, optim=optimizer,
        optim_args="momentum=0.9" if sgd else None, gradient_accumulation_steps=1 + sgd, warmup_steps=5,
        save_strategy="steps", save_steps=steps // 2, logging_steps=steps // 4, use_cpu=True,
        report_to=[], seed=5, disable_tqdm=True, **more,
    )  # fmt: skip
    return Trainer(
        get_peft_model(model, config), args, train_dataset=rows(), eval_dataset=rows(16), callbacks=[callback]
    ), callback


def train(
    method: str, optimizer: str, folder: Path, *, steps: int = 200, kill_at: int = 0, resume: bool = False
) -> dict[str, int]:
    """Train, save the final adapter, return the ranks."""
    torch.set_num_threads(1)
    made, callback = trainer(method, optimizer, folder, steps)
    if kill_at:
        made.add_callback(Kill(kill_at))
    made.train(resume_from_checkpoint=True if resume else None)
    made.model.save_pretrained(str(folder / "final"))
    assert callback.growth is not None
    return callback.growth.ranks


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("method")
    parser.add_argument("optimizer")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--kill-at", type=int, default=0)
    parser.add_argument("--resume", action="store_true")
    options = parser.parse_args()
    ranks = train(options.method, options.optimizer, options.folder, kill_at=options.kill_at, resume=options.resume)
    print("ranks", *ranks.values())


if __name__ == "__main__":
    main()
