"""A schedule of the lab as text to paste: PEFT configurations with their callback, and the TOML of a race."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tomli_w

from triadapt.config import AllocationConfig, ConfigError, parse_allocation, parse_config
from triadapt.growth.preview import preview, pruning_schedule
from triadapt.growth.trainer_steps import TrainerSteps
from triadapt.methods.registry import METHODS
from triadapt.tasks.registry import TASKS
from triadapt.views.lab.inputs import allocation_values, meaning


def peft_snippet(values: Mapping[str, Any], method: str) -> str:
    """Python that adapts a model `base` and trains it on `rows` with the Trainer. Raises ConfigError."""
    meant = meaning(values)
    config = parse_allocation(allocation_values(values, meant.steps, method, values["growth"]))
    seen = preview(config, meant.matrices.count, brief=True)
    spec = METHODS[method]
    ours, grows, tuner = spec.ours, spec.decides, spec.tuner_name
    peft = ["get_peft_model"] if ours else [tuner, "get_peft_model"]
    own = sorted((["RankGrowthCallback"] if grows else []) + ([tuner] if ours else []))
    imports = [f"from peft import {', '.join(peft)}", "from transformers import Trainer, TrainingArguments"]
    imports += [f"from triadapt import {', '.join(own)}"] if own else []
    about = f"# No rank event, total rank {seen.start} over {meant.matrices.count} matrices."
    if seen.rows:
        about = (
            f"# {seen.events:,} rank events, total rank {seen.start} to {seen.rows[-1]['total_rank']} over "
            f"{meant.matrices.count} matrices."
        )
    counting = [f"# {part}" for part in meant.counted.line().split("; ")] if meant.counted else []
    last = ", callbacks=[callback]" if grows else ""
    return "\n".join(
        [
            *imports, "", about, *counting,
            _call("config", tuner, {"target_modules": meant.matrices.names, **_fields(config)}),
            "model = get_peft_model(base, config)  # a new head needs modules_to_save=[...] above",
            *([_callback(config)] if grows else []),
            _call("args", "TrainingArguments", {"output_dir": "out", **_training(meant.counted, meant.steps)}),
            f"trainer = Trainer(model, args, train_dataset=rows{last})", "trainer.train()", "",
        ]
    )  # fmt: skip


def _fields(config: AllocationConfig) -> dict[str, Any]:
    if config.method == "lora":
        return {"r": config.reference_rank, "lora_alpha": config.alpha}
    if config.method == "adalora":
        schedule = pruning_schedule(config)
        return {
            "init_r": schedule.init_rank, "target_r": config.reference_rank,
            # PEFT divides by the start rank; the scale meant is that of the other methods.
            "lora_alpha": config.alpha * schedule.init_rank / config.reference_rank,
            "tinit": schedule.tinit, "tfinal": schedule.tfinal, "deltaT": schedule.delta,
            "total_step": schedule.total_step,
        }  # fmt: skip
    return {"reference_rank": config.reference_rank, "add_r": config.add_r, "alpha": config.alpha}


def _callback(config: AllocationConfig) -> str:
    given: dict[str, Any] = {}
    if config.method != "adalora":
        given = {"warmup": config.warmup, "interval": config.interval}
        if config.method == "triadaptlora":
            given["growth"] = config.growth
        if config.method == "increlora" or config.growth == "fixed":
            given["top_h"] = config.top_h
        if getattr(config.method_settings, "behaviour", "improved") == "reference":
            given["settings"] = {"behaviour": "reference"}
    return f"callback = RankGrowthCallback({', '.join(f'{name}={_code(value)}' for name, value in given.items())})"


def _training(counted: TrainerSteps | None, steps: int) -> dict[str, Any]:
    if counted is None:
        return {"max_steps": steps}
    named = {"num_train_epochs": counted.epochs, "per_device_train_batch_size": counted.batch_size}
    if counted.accumulation > 1:
        named["gradient_accumulation_steps"] = counted.accumulation
    return named | ({"dataloader_drop_last": True} if counted.drop_last else {})


def _call(name: str, what: str, arguments: Mapping[str, Any]) -> str:
    inner = "".join(f"    {key}={_code(value)},\n" for key, value in arguments.items())
    return f"{name} = {what}(\n{inner})"


def _code(value: Any) -> str:
    """As Python is written, with double quotes."""
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, list):
        return f"[{', '.join(map(_code, value))}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_code(key)}: {_code(part)}" for key, part in value.items()) + "}"
    return f"{value:.10g}" if isinstance(value, float) and value != int(value) else repr(value)


TO_NAME: dict[str, dict[str, Any]] = {
    "files": {"train": "rows.csv"},
    "qa": {"train": "train.json", "dev": "dev.json"},
    "causal": {"train": "text.txt", "model": "owner/decoder"},
}
"""What a task cannot do without, to be named by whoever trains."""


def race_toml(values: Mapping[str, Any]) -> str:
    """A configuration for `triadapt train` with every method of the lab. Raises ConfigError with every wrong field."""
    meant, methods = meaning(values), list(values["method"])
    task = values["task"] if values["task"] in TASKS else "planted"
    merged: dict[str, Any] = {}
    wrong: list[str] = []
    for method in methods:
        plain = allocation_values(values, meant.steps, method, values["growth"]) | {"task": task}
        if task == "planted" and values["task"] == task:
            plain["planted"] = {"blocks": values["layers"]}
        if task in TO_NAME:
            plain[task] = TO_NAME[task]
        try:
            merged = parse_config(plain).as_dict() | merged
        except ConfigError as error:
            wrong += [f"{METHODS[method].label}: {line}" for line in error.lines]
    if wrong or not methods:
        raise ConfigError(list(dict.fromkeys(wrong)) or ["method: choose at least one"])
    sections = {name: value for name, value in merged.items() if isinstance(value, dict)}
    plain_values = {name: value for name, value in merged.items() if name not in sections}
    first = f"# triadapt train schedule.toml --method {','.join(methods)}\n"
    if values["task"] not in TASKS:
        first += (
            f"# The schedule over the {TASKS[task].label.lower()} task: a model of your own takes the other text.\n"
        )
    return first + tomli_w.dumps(plain_values | sections)
