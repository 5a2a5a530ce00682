"""Rank allocation in the Trainer of transformers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from triadapt.training.parallel_checks import ONE_PROCESS, UnsupportedParallel
from triadapt.training.rank_growth import KEY, Allocation, RankGrowth

CONSTANT = ("constant", "constant_with_warmup")


class RankGrowthCallback(TrainerCallback):  # type: ignore[misc]
    """Lets a `Trainer` grow (TriAdaptLoRA, IncreLoRA) or prune (AdaLoRA) the ranks of its PEFT model.

        model = get_peft_model(base, TriAdaptLoraConfig(target_modules=["query", "value"], reference_rank=8))
        trainer = Trainer(model, args, train_dataset=rows, callbacks=[RankGrowthCallback(warmup=100, interval=20)])
        trainer.train()

    AdaLoRA's schedule is in its `AdaLoraConfig`: `RankGrowthCallback()`. Checkpoints of the Trainer hold all that
    `trainer.train(resume_from_checkpoint=...)` needs. Decisions are in `callback.growth.allocations`, ranks in
    `callback.growth.ranks`, `total_rank` is in
    `trainer.state.log_history`.

    Args: as for `RankGrowth`, which says what each means and what is refused; steps, seed, learning-rate schedule and
    gradient scaler come from the Trainer.
    """

    def __init__(
        self,
        *,
        warmup: int | None = None,
        interval: int | None = None,
        growth: str = "linear",
        top_h: int = 2,
        settings: Mapping[str, Any] | None = None,
        on_allocation: Callable[[Allocation], None] | None = None,
    ) -> None:
        self.arguments: dict[str, Any] = {
            "warmup": warmup, "interval": interval, "growth": growth, "top_h": top_h, "settings": settings,
            "on_allocation": on_allocation,
        }  # fmt: skip
        self.growth: RankGrowth | None = None

    def on_init_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Refuse before anything is loaded what can be known from the arguments alone."""
        self._check(args)

    @staticmethod
    def _check(args: TrainingArguments) -> None:
        for field in ("fsdp", "deepspeed"):
            if getattr(args, field, None):
                raise UnsupportedParallel(
                    f"TrainingArguments.{field}: parameters are shards of fixed size, so no rank can change; "
                    f"{ONE_PROCESS}"
                )
        if args.n_gpu > 1:
            raise UnsupportedParallel(
                f"{args.n_gpu} GPUs in one process make the Trainer use DataParallel, whose copies are lost after each "
                f"step; set CUDA_VISIBLE_DEVICES to one of them"
            )

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **given: Any
    ) -> None:
        """Bind to the model and the optimizer, after a resume has loaded both."""
        self._check(args)  # a callback that was added later has not seen the start
        if self.growth is not None:  # a training before this one, perhaps interrupted
            self.growth.close(cut=False)
        optimizer = given["optimizer"]
        if state.global_step == 0:
            optimizer.param_groups[0].pop(KEY, None)
        elif KEY not in optimizer.param_groups[0]:
            raise ValueError(
                f"resume_from_checkpoint: the checkpoint of step {state.global_step} holds no state of rank growth; it "
                f"was written without this callback or with save_only_model; start anew"
            )
        self.growth = RankGrowth(
            given["model"],
            optimizer,
            total_step=state.max_steps,
            lr_schedule="constant" if str(getattr(args.lr_scheduler_type, "value", "")) in CONSTANT else "linear",
            seed=args.seed,
            **self.arguments,
        )

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl,
        logs: dict[str, Any] | None = None, **_: Any,
    ) -> None:  # fmt: skip
        """Add the total rank to what is printed and to `trainer.state.log_history`."""
        if self.growth is not None and logs is not None and "loss" in logs:
            logs["total_rank"] = state.log_history[-1]["total_rank"] = int(self.growth.run.ranks().sum())

    def on_train_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Take the hooks off; what is saved from now on is the final adapter. Where the Trainer has loaded the best one
        by now, that is left as its checkpoint has it: the ranks of the last step are not its ranks."""
        if self.growth is not None:
            self.growth.close(cut=not (args.load_best_model_at_end and state.best_model_checkpoint))
