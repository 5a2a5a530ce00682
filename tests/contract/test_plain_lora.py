"""Adapters as plain LoRA: the same outputs from PEFT alone."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from bases import BASES, bert, close, every_base, logits
from methods import config_of, every_method, every_method_of_ours, in_full, peft_warnings, trained, trained_on, wrapped
from peft import PeftModel
from safetensors.torch import load_file

from triadapt import save_as_lora

pytestmark = peft_warnings


@every_base
@every_method
def test_the_plain_lora_export_gives_the_same_outputs(method: str, base: str, tmp_path: Path) -> None:
    model = trained_on(method, base, modules_to_save=[BASES[base].beside])
    save_as_lora(model, tmp_path)
    loaded = PeftModel.from_pretrained(BASES[base].build(), str(tmp_path))
    assert loaded.peft_config["default"].peft_type == "LORA"
    close(logits(loaded), logits(model))


@every_method_of_ours
def test_the_plain_lora_export_of_a_second_adapter_says_how_its_layers_are_stored(method: str, tmp_path: Path) -> None:
    model = trained_on(method, "gpt2")
    model.add_adapter("other", config_of(method, "gpt2"))
    model.set_adapter("other")
    trained(model, "other")
    save_as_lora(model, tmp_path, "other")
    assert json.loads((tmp_path / "adapter_config.json").read_text())["fan_in_fan_out"] is True
    close(logits(PeftModel.from_pretrained(BASES["gpt2"].build(), str(tmp_path))), logits(model))


LOADER = """
import sys
sys.modules["triadapt"] = None  # as if it were not installed
import torch
from peft import PeftModel
from safetensors.torch import save_file
from transformers import BertForSequenceClassification
base, *adapters = sys.argv[1:]
for adapter in adapters:
    model = PeftModel.from_pretrained(BertForSequenceClassification.from_pretrained(base), adapter).eval()
    with torch.no_grad():
        found = model(input_ids=torch.arange(24).view(3, 8) % 30).logits
    save_file({"logits": found}, adapter + "/outputs.safetensors")
"""


def test_the_plain_lora_exports_load_where_this_package_is_not(tmp_path: Path) -> None:
    bert().save_pretrained(str(tmp_path / "base"))
    models = {method: trained_on(method, "bert", modules_to_save=["classifier"]) for method in in_full}
    for method, model in models.items():
        save_as_lora(model, tmp_path / method)
    paths = [str(tmp_path / name) for name in ("base", *models)]
    # Starting Python with torch is most of the time, so one process loads all.
    subprocess.run([sys.executable, "-c", LOADER, *paths], check=True, capture_output=True, cwd=tmp_path)
    for method, model in models.items():
        close(load_file(tmp_path / method / "outputs.safetensors")["logits"], logits(model))


@every_method
def test_a_model_without_the_adapter_cannot_be_exported(method: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="adapter = 'other': the model has no low-rank adapter of that name"):
        save_as_lora(wrapped(method, "bert"), tmp_path / "none", "other")
    assert not (tmp_path / "none").exists()
