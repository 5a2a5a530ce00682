"""The Trainer of transformers with one callback: checkpoints, a kill, and what the callback refuses."""

import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import train_with_trainer as script
from nursery import Nursery
from peft import PeftModel
from safetensors.torch import load_file
from transformers import TrainerCallback

ROOT = Path(__file__).parents[2]
pytestmark = [
    # PEFT 0.21 still asks transformers 5 for an attribute by its old name, and takes a rank of 0 for a lost shard.
    pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning"),
    pytest.mark.filterwarnings("ignore:Adapter 'default'.*invalid shape"),
    pytest.mark.filterwarnings("ignore:The following rank_pattern keys did not match:RuntimeWarning"),
    # Forty steps are too few for the budget.
    pytest.mark.filterwarnings("ignore:the budget of .* is not reached:UserWarning"),
    # The Trainer asks for pinned memory where there is no accelerator.
    pytest.mark.filterwarnings("ignore:'pin_memory' argument is set as true:UserWarning"),
]


def killed(nursery: Nursery, method: str, optimizer: str, folder: Path) -> None:
    """Train in a process of its own that is killed at step 100, its checkpoint written."""
    training = [sys.executable, "-m", "tests.unit.train_with_trainer", method, optimizer, str(folder)]
    code, errors = nursery.run([*training, "--kill-at", "100"], cwd=ROOT)
    assert code == -9, errors
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
    method: str, optimizer: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], nursery: Nursery
) -> None:
    whole = script.train(method, optimizer, tmp_path / "whole")
    assert sum(whole.values()) == 3 * len(whole) and len(set(whole.values())) > 1
    killed(nursery, method, optimizer, tmp_path / "killed")
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


class StopAt(TrainerCallback):  # type: ignore[misc]
    """What Ctrl-C does to a training."""

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.global_step == 15:
            raise KeyboardInterrupt


@pytest.mark.parametrize("method", ["triadaptlora", "increlora", "adalora"])
def test_a_second_training_after_an_interrupted_one_has_one_growth(method: str, tmp_path: Path) -> None:
    trainer, callback = script.trainer(method, "adamw_torch", tmp_path, steps=40)
    stop = StopAt()
    trainer.add_callback(stop)
    with pytest.raises(KeyboardInterrupt):
        trainer.train()
    first = callback.growth
    trainer.remove_callback(stop)
    trainer.train()
    assert first is not None and callback.growth is not None
    assert (first.step, callback.growth.step) == (15, 40)
    optimizer: Any = callback.growth.optimizer
    assert not optimizer._optimizer_step_pre_hooks and not optimizer._optimizer_step_post_hooks


def test_a_second_training_of_a_pruned_adapter_is_refused(tmp_path: Path) -> None:
    trainer, callback = script.trainer("adalora", "adamw_torch", tmp_path, steps=40)
    trainer.train()
    assert callback.growth is not None
    assert trainer.state.log_history[-2]["total_rank"] == sum(callback.growth.ranks.values())
    with pytest.raises(ValueError, match="rank_pattern: this AdaLoRA adapter is pruned already"):
        trainer.train()


@pytest.mark.parametrize("method", ["triadaptlora", "increlora", "adalora"])
def test_the_best_model_of_a_training_is_what_its_checkpoint_holds(method: str, tmp_path: Path) -> None:
    """The best is the first by decree, when ranks were others than at the end."""
    trainer, _ = script.trainer(
        method, "adamw_torch", tmp_path, steps=40, load_best_model_at_end=True, eval_strategy="steps", eval_steps=20,
        metric_for_best_model="eval_fixed", greater_is_better=False,
    )  # fmt: skip
    values = iter([0.0, 1.0])
    trainer.compute_metrics = lambda _: {"fixed": next(values, 2.0)}
    trainer.train()
    assert str(trainer.state.best_model_checkpoint).endswith("checkpoint-20")
    given = script.rows(8)
    inputs = {"input_ids": torch.stack([row["input_ids"] for row in given])}
    best: Any = PeftModel.from_pretrained(script.base(), tmp_path / "checkpoint-20").eval()
    model: Any = trainer.model
    torch.testing.assert_close(model.eval()(**inputs).logits, best(**inputs).logits)
    model.save_pretrained(str(tmp_path / "saved"))
    saved: Any = PeftModel.from_pretrained(script.base(), tmp_path / "saved").eval()
    torch.testing.assert_close(saved(**inputs).logits, best(**inputs).logits)
