"""The weights of a run as files for other programs: PEFT's adapter, plain LoRA, the merged model."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel, get_peft_model_state_dict
from safetensors.torch import save_file

from triadapt.config import parse_config
from triadapt.methods.plain_lora import Factors, adapter_factors, write_lora
from triadapt.methods.registry import METHODS
from triadapt.runs.export import MODEL_FORMS
from triadapt.runs.info import RunError, RunInfo
from triadapt.training import checkpoint
from triadapt.training.session import Session

ADAPTER = "default"
WHOLE = "base_model.model."


def export_model(info: RunInfo, target: Path, forms: Sequence[str], *, overwrite: bool = False) -> list[Path]:
    """Write the weights of a run's newest checkpoint into `target`, a folder for each of `forms` (of `MODEL_FORMS`).

    adapter: as PEFT's `save_pretrained` writes it. lora: the same dW as plain LoRA, for places without this package.
    merged: the whole model with dW added to its weights. Adapter and LoRA are for the pretrained model itself, without
    the head that the task puts on it; the head is in `head.safetensors`. A README.md beside says how each is loaded.
    Returns what was written.

    Raises RunError when the run has no checkpoint or its model cannot be built again, FileExistsError before anything
    is written, OSError. What was there stays as it was when a form fails.
    """
    present = [target / form for form in forms if (target / form).exists()]
    if present and not overwrite:
        raise FileExistsError(17, "exists already", str(present[0]))
    session = _restored(info)
    session.method.close()
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target, prefix=".export-") as place:
        for form in forms:
            folder = Path(place) / form
            folder.mkdir()
            try:
                _FORMS[form](session, folder)
            except NotImplementedError:
                raise RunError(
                    f"{info.id}: PEFT does not merge {METHODS[session.config.method].label} into weights in 4 bits; "
                    f"export lora, which is the same change"
                ) from None
        (Path(place) / "README.md").write_text(_readme(info, session, forms), encoding="utf-8")
        (Path(place) / "config.toml").write_text(session.config.to_toml(), encoding="utf-8")
        for form in forms:
            shutil.rmtree(target / form, ignore_errors=True)
        names = [*forms, "README.md", "config.toml"]
        for name in names:
            os.replace(Path(place) / name, target / name)
    return [target / name for name in names]


def _restored(info: RunInfo) -> Session:
    if info.folder is None or checkpoint.newest(info.folder / "checkpoints") is None:
        raise RunError(f"{info.id}: it has no checkpoint, so there are no weights to export")
    try:
        session = Session(parse_config({**info.config, "device": "cpu"}), folder=info.folder)
        session.open(resume=True)
    except ValueError as error:
        raise RunError(f"{info.id}: its model cannot be built again ({error})") from error
    return session


def _inside(session: Session) -> str:
    """Path of the pretrained model within the task's, with a dot at its end; empty where they are the same."""
    return f"{session.task.pretrained}." if session.task.pretrained else ""


def _save_adapter(session: Session, folder: Path) -> None:
    model = _peft_model(session)
    with warnings.catch_warnings():
        # PEFT takes a matrix that AdaLoRA pruned to rank 0 for a shard that was lost.
        warnings.filterwarnings("ignore", "Adapter 'default': .* invalid shape")
        model.save_pretrained(str(folder))
        (folder / "README.md").unlink(missing_ok=True)  # PEFT's card is an empty form
        tensors = get_peft_model_state_dict(model, adapter_name=ADAPTER)
    inside = _inside(session)
    if not inside:
        return  # as PEFT wrote it: it took the name from the model
    # What PEFT wrote names layers by the task's model; whoever loads it has the pretrained one.
    own = {key: value for key, value in tensors.items() if key.startswith(WHOLE + inside)}
    _save({WHOLE + key.removeprefix(WHOLE + inside): value for key, value in own.items()}, folder / ADAPTER_FILE)
    config = json.loads((folder / CONFIG_FILE).read_text(encoding="utf-8"))
    config["target_modules"] = sorted(name.removeprefix(inside) for name in config["target_modules"])
    config["modules_to_save"] = None
    config["base_model_name_or_path"] = session.task.pretrained_name
    if config.get("rank_pattern"):
        config["rank_pattern"] = {key.removeprefix(inside): value for key, value in config["rank_pattern"].items()}
    (folder / CONFIG_FILE).write_text(json.dumps(config, indent=2, sort_keys=True), encoding="utf-8")
    _save_head(model, folder)


def _save_lora(session: Session, folder: Path) -> None:
    model, inside = _peft_model(session), _inside(session)
    factors: dict[str, Factors] = {
        name.removeprefix(inside): pair for name, pair in adapter_factors(model, ADAPTER).items()
    }
    config = model.peft_config[ADAPTER]
    config.base_model_name_or_path = session.task.pretrained_name or None
    write_lora(folder, factors, config, {})
    _save_head(model, folder)


def _save_merged(session: Session, folder: Path) -> None:
    model = _peft_model(session)
    _save_head(model, folder)
    merged: Any = model.merge_and_unload(safe_merge=True)
    pretrained = merged.get_submodule(session.task.pretrained)
    if hasattr(pretrained, "save_pretrained"):
        pretrained.save_pretrained(str(folder))
    else:
        _save(pretrained.state_dict(), folder / "model.safetensors")


def _save_head(model: PeftModel, folder: Path) -> None:
    """What is trained beside the adapter, if anything is."""
    marker = f".modules_to_save.{ADAPTER}."
    head = {
        key.removeprefix(WHOLE).replace(marker, "."): value
        for key, value in model.state_dict().items()
        if marker in key
    }
    if head:
        _save(head, folder / "head.safetensors")


def _peft_model(session: Session) -> PeftModel:
    model = session.model
    assert isinstance(model, PeftModel)
    return model


def _save(tensors: dict[str, torch.Tensor], path: Path) -> None:
    whole = {key: value.detach().cpu().contiguous().clone() for key, value in tensors.items()}
    save_file(whole, str(path), metadata={"format": "pt"})


ADAPTER_FILE, CONFIG_FILE = "adapter_model.safetensors", "adapter_config.json"
# Merging changes the model for good, so it comes last.
_FORMS: dict[str, Callable[[Session, Path], None]] = {
    "adapter": _save_adapter, "lora": _save_lora, "merged": _save_merged,
}  # fmt: skip
assert tuple(_FORMS) == MODEL_FORMS


def _readme(info: RunInfo, session: Session, forms: Sequence[str]) -> str:
    """What is here, and the lines that load it; they run with this folder as the working directory."""
    config, name = session.config, session.task.pretrained_name
    label = METHODS[config.method].label
    total = int(session.method.ranks().sum())
    parts = [
        f"# {info.name or info.id}",
        f"{label} on `{config.task}`: {session.step} of {config.steps} steps, total rank {total}. The lines below run "
        f"with this folder as the working directory.",
    ]
    auto = session.task.loaded_by
    base = f'{auto}.from_pretrained("{name}")' if name else "task.build_model()"
    head = [f"from transformers import {auto}"] if name else PLANTED_BASE
    if "adapter" in forms:
        ours = [REGISTER] if config.method in OWN_TUNERS else []
        parts += ["## adapter", _code([*head, "from peft import PeftModel", *ours, _load(base, "adapter")])]
    if "lora" in forms:
        alone = "; PEFT alone loads it" if name else ""
        parts += ["## lora", f"The same change of the weights as plain LoRA{alone}."]
        parts += [_code([*head, "from peft import PeftModel", _load(base, "lora")])]
    if "merged" in forms and name:
        parts += ["## merged", _code([*head, f'model = {auto}.from_pretrained("merged")'])]
    elif "merged" in forms:
        load = ["from safetensors.torch import load_file", f"model = {base}"]
        parts += ["## merged", _code([*head, *load, 'model.load_state_dict(load_file("merged/model.safetensors"))'])]
    if session.task.head:
        parts.append(f"`head.safetensors` holds {session.task.head}.")
    return "\n\n".join(parts) + "\n"


OWN_TUNERS = ("triadaptlora", "increlora")
REGISTER = "from triadapt import TriAdaptLoraConfig  # importing it makes PEFT know the tuners"
PLANTED_BASE = [
    "from pathlib import Path",
    "from triadapt.config import load_toml, parse_config",
    "from triadapt.training.session import build_task",
    'task = build_task(parse_config(load_toml(Path("config.toml"))), "cpu")',
]


def _load(base: str, folder: str) -> str:
    return f'model = PeftModel.from_pretrained({base}, "{folder}")'


def _code(lines: Sequence[str]) -> str:
    imports = [line for line in lines if line.startswith(("from ", "import "))]
    rest = [line for line in lines if line not in imports]
    return "\n".join(["```python", *imports, "", *rest, "```"])
