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
from transformers import T5EncoderModel

from triadapt.config import parse_config
from triadapt.methods.plain_lora import Factors, adapter_biases, adapter_factors, write_lora
from triadapt.methods.registry import METHODS
from triadapt.pretrained.load import AsItCame, load_tokenizer
from triadapt.runs.export import MODEL_FORMS
from triadapt.runs.info import RunError, RunInfo
from triadapt.training import checkpoint
from triadapt.training.session import Session

ADAPTER = "default"
WHOLE = "base_model.model."


def export_model(info: RunInfo, target: Path, forms: Sequence[str], *, overwrite: bool = False) -> list[Path]:
    """Write the weights of a run's newest checkpoint into `target`, a folder for each of `forms` (of `MODEL_FORMS`).

    adapter: as PEFT's `save_pretrained` writes it. lora: the same dW as plain LoRA, for places without this package.
    merged: the whole model with dW added to its weights, otherwise as it came, with its tokenizer. Adapter and LoRA are
    for the pretrained model itself, without the head that the task puts on it; the head is in `head.safetensors`. A
    README.md beside says how each is loaded.
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
    inside, name = _inside(session), session.task.pretrained_name
    session.method.save_beside(folder, inside if name else "")
    if not name:
        return
    # What PEFT wrote names layers by the task's model, and the model by the folder it was loaded from; whoever loads
    # it has the pretrained one, by its name.
    # What lies outside of its layers is what they share.
    own = {key: value for key, value in tensors.items() if key.startswith(WHOLE + inside) or not key.startswith(WHOLE)}
    renamed = {key.replace(WHOLE + inside, WHOLE, 1): value for key, value in own.items()}
    _save(renamed, folder / ADAPTER_FILE)
    config = json.loads((folder / CONFIG_FILE).read_text(encoding="utf-8"))
    config["target_modules"] = sorted(path.removeprefix(inside) for path in config["target_modules"])
    config["modules_to_save"] = None
    config["base_model_name_or_path"], config["revision"] = name, _revision(session) or None
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
    config.revision = _revision(session) or None
    biases = {name.removeprefix(inside): bias for name, bias in adapter_biases(model, ADAPTER).items()}
    write_lora(folder, factors, config, {}, biases)
    _save_head(model, folder)


def _save_merged(session: Session, folder: Path) -> None:
    model = _peft_model(session)
    _save_head(model, folder)
    merged = session.method.merged()
    pretrained: Any = merged.get_submodule(session.task.pretrained)
    if not hasattr(pretrained, "save_pretrained"):
        _save(pretrained.state_dict(), folder / "model.safetensors")
        return
    came: AsItCame = pretrained.as_it_came
    for name, value in came.config.to_dict().items():
        if "drop" in name or name == "use_cache":
            setattr(pretrained.config, name, value)
    if came.pooler is not None:
        pretrained.pooler = came.pooler
    pretrained.save_pretrained(str(folder))
    tokenizer = load_tokenizer(came.source)
    for ours in ("local_files_only", "is_local"):
        tokenizer.init_kwargs.pop(ours, None)
    tokenizer.save_pretrained(str(folder))


def _pretrained(session: Session) -> Any:
    """The pretrained model within the task's, adapted or merged."""
    model: Any = _peft_model(session).base_model.model
    return model.get_submodule(session.task.pretrained)


def _revision(session: Session) -> str:
    """Of the hub, where one was asked for."""
    settings: Any = session.config.task_settings
    named = getattr(settings, "model", "") == session.task.pretrained_name  # minilm has another name there
    return str(getattr(settings, "revision", "")) if named else ""


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
    auto, revision, bare = session.task.loaded_by, _revision(session), ""
    if name:
        pretrained = _pretrained(session)
        auto = "T5EncoderModel" if isinstance(pretrained, T5EncoderModel) else auto
        if pretrained.as_it_came.pooler is None and hasattr(pretrained, "pooler"):
            bare = ", add_pooling_layer=False"  # else transformers draws one at random
    at = f', revision="{revision}"' if revision else ""
    base = f'{auto}.from_pretrained("{name}"{at})' if name else "task.build_model()"
    head = [f"from transformers import {auto}"] if name else PLANTED_BASE
    if "adapter" in forms:
        ours = [REGISTER] if METHODS[config.method].ours else []
        own, needed = session.method.base_code(base, "adapter")
        whole, more, told = session.method.loading_code(_loaded(own, "adapter"), "adapter")
        lines = [*head, *needed, *more, "from peft import PeftModel", *ours, f"model = {whole}"]
        parts += ["## adapter", *([told] if told else []), _code(lines)]
    if "lora" in forms:
        own, needed = session.method.base_code(base, "lora")
        alone = "; PEFT alone loads it" if name and not needed else ""
        parts += ["## lora", f"The same change of the weights as plain LoRA{alone}."]
        parts += [_code([*head, *needed, "from peft import PeftModel", f"model = {_loaded(own, 'lora')}"])]
    if "merged" in forms and name:
        parts += ["## merged", _code([*head, f'model = {auto}.from_pretrained("merged"{bare})'])]
    elif "merged" in forms:
        load = ["from safetensors.torch import load_file", f"model = {base}"]
        parts += ["## merged", _code([*head, *load, 'model.load_state_dict(load_file("merged/model.safetensors"))'])]
    if session.task.head:
        parts.append(f"`head.safetensors` holds {session.task.head}.")
    return "\n\n".join(parts) + "\n"


REGISTER = "from triadapt import TriAdaptLoraConfig  # importing it makes PEFT know all tuners of this package"
PLANTED_BASE = [
    "from pathlib import Path",
    "from triadapt.config import load_toml, parse_config",
    "from triadapt.training.session import build_task",
    'task = build_task(parse_config(load_toml(Path("config.toml"))), "cpu")',
]


def _loaded(base: str, folder: str) -> str:
    return f'PeftModel.from_pretrained({base}, "{folder}")'


def _code(lines: Sequence[str]) -> str:
    imports = [line for line in lines if line.startswith(("from ", "import "))]
    rest = [line for line in lines if line not in imports]
    return "\n".join(["```python", *imports, "", *rest, "```"])
