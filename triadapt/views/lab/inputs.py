"""The inputs of the schedule lab: bounds and defaults, read from an address or from the page, and what they mean."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from triadapt.config import RunConfig
from triadapt.growth.schedule import GrowthMode
from triadapt.growth.target_matrices import MOST_LAYERS, TargetMatrices, target_matrices
from triadapt.growth.trainer_steps import TrainerSteps
from triadapt.methods.registry import AT_FIRST, METHODS
from triadapt.tasks.registry import TASKS

OWN = "own"
DRAWN = tuple(name for name, spec in METHODS.items() if spec.replayed or name in AT_FIRST)
"""Methods that the lab draws: those whose schedule it knows, and what they are measured against."""
MODES: tuple[GrowthMode, ...] = ("linear", "non-linear", "fixed")
Number = int | float


@dataclass(frozen=True)
class Input:
    """One number. key: its name in the address, which is that of a RunConfig field where there is one. The slider ends
    at `slider`, what is typed at `high`; `step` 1 takes whole numbers only."""

    key: str
    label: str
    help: str
    low: Number
    high: Number
    slider: Number
    step: Number = 1


SCHEDULE = (
    Input("steps", "Steps", "Optimizer steps of the training.", 1, 1_000_000, 3000),
    Input("warmup", "Warm-up", "No rank changes up to and including this step; AdaLoRA's tinit.", 0, 1_000_000, 1000),
    Input("interval", "Interval", "Steps between two rank events; AdaLoRA's deltaT.", 1, 1_000_000, 400),
    Input("reference_rank", "Budget", "Average rank a matrix at the end.", 1, 256, 32),
    Input("top_h", "Top h", "Matrices that grow at an event: IncreLoRA always, TriAdaptLoRA in fixed mode.", 1, 64_000,
          64),
    Input("add_r", "Ranks a growth", "Ranks a matrix gains when it grows.", 1, 64, 16),
    Input("adalora.init_rank_ratio", "Start / budget", "AdaLoRA's start rank over the budget; above 1.", 1.01, 256,
          4, 0.05),
    Input("adalora.final_share", "Final share", "Share of the steps at the end with AdaLoRA's budget fixed: tfinal "
          "over steps.", 0, 0.99, 0.99, 0.01),
    Input("alpha", "Alpha", "The update is scaled by alpha / budget.", 0.01, 4096, 64, 0.5),
    Input("layers", "Layers", "Layers whose modules are adapted.", 1, MOST_LAYERS, 96),
)  # fmt: skip
TRAINER = (
    Input("epochs", "Epochs", "num_train_epochs", 0.001, 1_000_000, 0, 0.5),
    Input("rows", "Rows", "Training rows.", 1, 10**12, 0),
    Input("batch", "Batch size", "per_device_train_batch_size", 1, 1_000_000, 0),
    Input("accumulation", "Accumulation", "gradient_accumulation_steps", 1, 1_000_000, 0),
    Input("processes", "Processes", "How many processes train, one a GPU.", 1, 100_000, 0),
)
NUMBERS = {one.key: one for one in (*SCHEDULE, *TRAINER)}
CHOICES: dict[str, tuple[str, ...]] = {
    "task": (*TASKS, OWN),
    "growth": MODES,
    "behaviour": ("improved", "reference"),
    "modes": ("one", "all"),
    "from": ("steps", "epochs"),
    "drop_last": ("no", "yes"),
}
MOST_TEXT = 4000
QUERY_VALUE = "query 768x768, value 768x768"
KNOWN_MODELS = {
    "BERT or RoBERTa base: query, value": (12, QUERY_VALUE),
    "DeBERTaV3 base: six a block": (
        12,
        "query_proj 768x768, key_proj 768x768, value_proj 768x768, attention.output.dense 768x768, "
        "intermediate.dense 768x3072, output.dense 3072x768",
    ),
    "Llama 3.1 8B: seven a block": (
        32,
        "q_proj 4096x4096, k_proj 4096x1024, v_proj 4096x1024, o_proj 4096x4096, gate_proj 4096x14336, "
        "up_proj 4096x14336, down_proj 14336x4096",
    ),
}


def defaults(task: str) -> dict[str, Any]:
    """Every input of the lab at its default, which for the schedule is that of the task."""
    # Not a run of the task itself, which may need what only its user has, such as a file.
    config = RunConfig.model_validate({**(TASKS[task].defaults if task in TASKS else {}), "task": "planted"})
    adalora = getattr(config, "adalora")  # noqa: B009  (a section that the registry brings)
    return {
        **{name: getattr(config, name) for name in ("steps", "warmup", "interval", "reference_rank", "growth", "top_h",
                                                    "add_r", "alpha")},
        "adalora.init_rank_ratio": adalora.init_rank_ratio, "adalora.final_share": adalora.final_share,
        "behaviour": "improved", "modes": "one", "task": task,
        "method": [name for name in AT_FIRST if METHODS[name].decides],
        "layers": {"planted": 4, "text": 6, "files": 6, "qa": 6}.get(task, 12), "modules": QUERY_VALUE, "from": "steps",
        "epochs": 3.0,
        "rows": 10_000, "batch": 16, "accumulation": 1, "processes": 1, "drop_last": "no",
    }  # fmt: skip


def task_modules(task: str) -> str:
    """Modules of one block of a task of ours, as text."""
    if task == "causal":  # of the smallest GPT-2: this task has no model of its own
        return "qkv 768x2304, o 768x768, up 768x3072, down 3072x768"
    d, wide = (64, 128) if task == "planted" else (384, 1536)
    square = ", ".join(f"{name} {d}x{d}" for name in "qkvo")
    return f"{square}, up {d}x{wide}, down {wide}x{d}"


def read_inputs(given: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Values of every input from `given`, numbers or text; what is missing or wrong takes its default. Returns one line
    for each that is wrong."""
    lines: list[str] = []
    task = str(given.get("task", "planted"))
    values = defaults(task if task in CHOICES["task"] else "planted")
    for name, known in CHOICES.items():
        if name in given:
            if given[name] in known:
                values[name] = given[name]
            else:
                lines.append(f"{name} = {_short(given[name])}: known are {', '.join(known)}; using {values[name]}")
    for name, one in NUMBERS.items():
        if name in given:
            number = _number(given[name], one)
            if number is None:
                what = "a whole number" if one.step == 1 else "a number"
                lines.append(
                    f"{name} = {_short(given[name])}: must be {what} from {one.low:,} to {one.high:,}; using "
                    f"{values[name]:g}"
                )
            else:
                values[name] = number
    if "method" in given:
        names = [given["method"]] if isinstance(given["method"], str) else list(given["method"] or ())
        lines += [f"method = {_short(m)}: known are {', '.join(DRAWN)}; left out" for m in names if m not in DRAWN]
        values["method"] = [name for name in DRAWN if name in names]
    if "modules" in given:
        values["modules"] = str(given["modules"])[:MOST_TEXT]
    if values["task"] == "text":
        values["layers"] = 6
    return values, lines


def _short(value: Any) -> str:
    return repr(value)[:60]


def _number(value: Any, one: Input) -> Number | None:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    if not (math.isfinite(number) and one.low <= number <= one.high) or (one.step == 1 and number != int(number)):
        return None
    return int(number) if one.step == 1 else number


@dataclass(frozen=True)
class Meant:
    """What inputs mean: the matrices, the optimizer steps and how they were counted. problems: one line for each part
    that means nothing."""

    matrices: TargetMatrices
    steps: int
    counted: TrainerSteps | None
    problems: list[str]


def meaning(values: Mapping[str, Any]) -> Meant:
    """Read the parts of the inputs that are more than a number. Where one cannot be read, its default stands in."""
    problems: list[str] = []
    own = values["task"] == OWN
    try:
        matrices = target_matrices(values["layers"], values["modules"] if own else task_modules(values["task"]))
    except ValueError as error:
        problems.append(str(error))
        matrices = target_matrices(values["layers"], QUERY_VALUE)
    counted = None
    if values["from"] == "epochs":
        try:
            counted = TrainerSteps(
                values["epochs"], values["rows"], values["batch"], values["accumulation"], values["processes"],
                values["drop_last"] == "yes",
            )  # fmt: skip
            if counted.steps > NUMBERS["steps"].high:
                problems.append(f"{counted.line()}: more than the {NUMBERS['steps'].high:,} that can be planned here")
                counted = None
        except ValueError as error:
            problems.append(str(error))
    return Meant(matrices, counted.steps if counted else values["steps"], counted, problems)


def allocation_values(values: Mapping[str, Any], steps: int, method: str, growth: str) -> dict[str, Any]:
    """Plain values of an `AllocationConfig` for one line of the lab."""
    shared = {name: values[name] for name in ("warmup", "interval", "reference_rank", "top_h", "add_r", "alpha")}
    sections: dict[str, Any] = {name: {"behaviour": values["behaviour"]} for name in ("triadaptlora", "increlora")}
    sections["adalora"] = {name: values[f"adalora.{name}"] for name in ("init_rank_ratio", "final_share")}
    own = {method: sections[method]} if method in sections else {}
    return {"method": method, "growth": growth, "steps": steps, **shared, **own}


@dataclass(frozen=True)
class Line:
    """One curve of the lab: a method, and for TriAdaptLoRA a growth mode."""

    method: str
    growth: str
    label: str


def lines(values: Mapping[str, Any]) -> Sequence[Line]:
    """What is drawn side by side."""
    found = []
    for method in values["method"]:
        modes: Sequence[str] = (values["growth"],)
        if method == "triadaptlora" and values["modes"] == "all":
            modes = MODES
        for growth in modes:
            mode = f" ({growth})" if method == "triadaptlora" else ""
            found.append(Line(method, growth, METHODS[method].label + mode))
    return found


def address(values: Mapping[str, Any]) -> dict[str, str | list[str]]:
    """What of the inputs differs from their defaults, as an address holds it; `read_inputs` reads it back."""
    usual = defaults(values["task"]) | {"task": "planted"}
    changed = {name: value for name, value in values.items() if value != usual[name]}
    return {name: value if isinstance(value, list) else _text(value) for name, value in changed.items()}


def _text(value: Any) -> str:
    return f"{value:.10g}" if isinstance(value, float) else str(value)
