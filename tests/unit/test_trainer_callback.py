"""The Trainer of transformers with one callback: checkpoints, a kill, and what the callback refuses."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
import train_with_trainer as script
from peft import PeftModel
from safetensors.torch import load_file

ROOT = Path(__file__).parents[2]
pytestmark = [
    # PEFT 0.21 still asks transformers 5 for an attribute by its old name, and takes a rank of 0 for a lost shard.
    pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning"),
    pytest.mark.filterwarnings("ignore:Adapter 'default'.*invalid shape"),
    pytest.mark.filterwarnings("ignore:The following rank_pattern keys did not match:RuntimeWarning"),
    # The Trainer asks for pinned memory where there is no accelerator.
    pytest.mark.filterwarnings("ignore:'pin_memory' argument is set as true:UserWarning"),
]


def killed(method: str, optimizer: str, folder: Path) -> None:
    """Train in a process of its own that is killed at step 100, its checkpoint written."""
    command = [
        sys.executable,
        "-m",
        "tests.unit.train_with_trainer",
        method,
        optimizer,
        str(folder),
        "--kill-at",
        "100",
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == -9, done.stderr
    assert (folder / "checkpoint-100").is_dir() and not (folder / "final").exists()


@pytest.mark.parametrize(
    ("method", "optimizer"),
    [
        ("triadaptlora", "adamw_torch"),
        ("triadaptlora", "sgd"),
        ("increlora", "adamw_torch"),
        ("adalora", "adamw_torch"),
    ],
)
def test_a_training_killed_at_half_its_steps_resumes_to_bit_identical_weights(
    method: str, optimizer: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = script.train(method, optimizer, tmp_path / "whole")
    assert sum(whole.values()) == 3 * len(whole) and len(set(whole.values())) > 1
    killed(method, optimizer, tmp_path / "killed")
    assert script.train(method, optimizer, tmp_path / "killed", resume=True) == whole
    first, second = (load_file(tmp_path / name / "final" / "adapter_model.safetensors") for name in ("whole", "killed"))
    assert first.keys() == second.keys() and any("classifier" in name for name in first)
    for name, tensor in first.items():
        assert torch.equal(tensor, second[name]), name
    assert "total_rank" in capsys.readouterr().out


def test_the_final_adapter_loads_with_the_ranks_it_had(tmp_path: Path) -> None:
    ranks = script.train("triadaptlora", "adamw_torch", tmp_path, steps=40)
    loaded = PeftModel.from_pretrained(script.base(), tmp_path / "final")
    assert [len(layer.triadaptlora_A["default"]) for layer in loaded.base_model.layers().values()] == [*ranks.values()]


def test_a_checkpoint_without_the_state_of_growth_is_refused(tmp_path: Path) -> None:
    script.train("triadaptlora", "adamw_torch", tmp_path, steps=40)
    path = tmp_path / "checkpoint-20" / "optimizer.pt"
    state = torch.load(path, weights_only=True)
    del state["param_groups"][0]["rank_growth"]
    torch.save(state, path)
    (tmp_path / "checkpoint-40").rename(tmp_path / "elsewhere")
    with pytest.raises(
        ValueError, match="resume_from_checkpoint: the checkpoint of step 20 holds no state of rank growth"
    ):
        script.train("triadaptlora", "adamw_torch", tmp_path, steps=40, resume=True)


def test_a_second_training_of_one_trainer_starts_anew(tmp_path: Path) -> None:
    trainer, callback = script.trainer("adalora", "adamw_torch", tmp_path, steps=40)
    trainer.train()
    first = callback.growth
    with pytest.raises(ValueError, match="rank_pattern: this AdaLoRA adapter is pruned already"):
        trainer.train()
    assert first is not None and first.step == 40
