"""Logs and adapters as other code leaves them, small."""

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file
from torch.utils.tensorboard import SummaryWriter

PATHS = [
    f"deberta.encoder.layer.{layer}.{place}"
    for layer in range(2)
    for place in ("attention.self.query_proj", "attention.self.value_proj", "attention.output.dense", "output.dense")
]
Ranks = dict[int, list[int]]


def pruned_ranks(seed: int = 0) -> Ranks:
    """Ranks of `PATHS` at some steps of a training that prunes."""
    rng, ranks, found = np.random.default_rng(seed), np.full(len(PATHS), 12), {}
    for step in range(100, 1000, 100):
        ranks = np.maximum(0, ranks - rng.integers(0, 4, len(PATHS)))
        found[step] = [int(rank) for rank in ranks]
    return found


def adalora_log(folder: Path, ranks: Ranks) -> Path:
    """As AdaLoRA's authors log: ranks by the name of E, budget, losses; and the Trainer's evaluations beside it."""
    writer = SummaryWriter(str(folder))
    for step in range(0, 1000, 50):
        writer.add_scalar("train/loss", 2 / (1 + step / 100), step)
        writer.add_scalar("train/learning_rate", 1e-3 * (1 - step / 1000), step)
        if step in ranks:
            for path, rank in zip(PATHS, ranks[step], strict=True):
                writer.add_scalar(f"Ranknum/{path}.lora_E", rank, step)
                writer.add_scalar(f"Orth_regu_loss/{path}.lora_A", 0.1, step)
            writer.add_scalar("Budget/total_rank", sum(ranks[step]), step)
            writer.add_scalar("Budget/mask_threshold", 1e-4 / step, step)
            writer.add_scalar("Budget/sum_param", 1536 * sum(ranks[step]), step)
        if step % 200 == 150:
            writer.add_scalar("eval/accuracy", 0.5 + step / 2500, step)
            writer.add_scalar("eval/loss", 1 / (1 + step / 400), step)
    writer.close()
    return folder


def increlora_log(folder: Path, ranks: Ranks) -> Path:
    """As IncreLoRA's authors log: ranks by the path of the layer, no evaluation."""
    writer = SummaryWriter(str(folder))
    for step, state in ranks.items():
        for path, rank in zip(PATHS, state, strict=True):
            writer.add_scalar(f"Ranknum/{path}", rank, step)
        writer.add_scalar("Budget/total_rank", sum(state), step)
        writer.add_scalar("Budget/increase_threshold", 1e-3, step)
    writer.close()
    return folder


def lora_adapter(folder: Path, ranks: list[int] | None = None, **fields: Any) -> Path:
    """A LoRA adapter folder over `PATHS` of 16 by 8, written without torch."""
    rng, tensors = np.random.default_rng(1), {}
    for path, rank in zip(PATHS, ranks or [4] * len(PATHS), strict=True):
        tensors[f"base_model.model.{path}.lora_A.weight"] = rng.normal(size=(rank, 8)).astype(np.float32)
        tensors[f"base_model.model.{path}.lora_B.weight"] = rng.normal(size=(16, rank)).astype(np.float32)
    config = {"peft_type": "LORA", "r": 4, "lora_alpha": 8, "base_model_name_or_path": "some/base", **fields}
    return adapter(folder, config, tensors)


def adapter(folder: Path, config: Mapping[str, Any], tensors: Mapping[str, Any]) -> Path:
    """An adapter folder of these."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "adapter_config.json").write_text(json.dumps(config))
    save_file(dict(tensors), folder / "adapter_model.safetensors")
    return folder


def zipped(path: Path, members: Mapping[str, bytes]) -> Path:
    """A zip file of these members."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path
