"""AdaLoRA as PEFT computes it, without the defects of its host."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from tiny_runs import advance, finish, opened, tiny
from torch import nn
from torch.func import functional_call

from triadapt.events import Matrix, RankEvent
from triadapt.methods.adalora.run import Run
from triadapt.methods.orthogonality import orthogonality
from triadapt.training.session import Session


def run_of(session: Session) -> Run:
    assert isinstance(session.method, Run)
    return session.method


@torch.no_grad()
def dense_loss(session: Session) -> float:
    """Held-out loss of the base network with dW added to its weights."""
    base = session.task.build_model()
    weights = dict(base.named_parameters())
    adapted = {
        f"{matrix.name}.weight": weights[f"{matrix.name}.weight"] + layer.get_delta_weight("default")
        for matrix, layer in zip(session.matrices, run_of(session).layers, strict=True)
    }
    return session.task.evaluate(lambda x: functional_call(base, adapted, (x,)))["loss"]  # type: ignore[arg-type]


def test_evaluation_has_no_orthogonality_term() -> None:
    session = opened(tiny("adalora", adalora={"orthogonality": 5.0}))
    advance(session, 9)
    events = session.advance()
    assert events[-1].metrics["loss"] == pytest.approx(dense_loss(session), rel=1e-4)  # type: ignore[attr-defined]


def test_the_reported_training_loss_has_none_either() -> None:
    session = opened(tiny("adalora", adalora={"orthogonality": 5.0}))
    plain = float(session.task.loss(session.model, session.task.batch(0)).detach())
    assert session.advance()[0].loss == pytest.approx(plain)  # type: ignore[attr-defined]


def test_ranks_are_the_triplets_kept() -> None:
    session = opened(tiny("adalora"))
    run = run_of(session)
    for _ in range(40):
        for event in session.advance():
            if not isinstance(event, RankEvent):
                continue
            pattern = run.pattern
            kept = [sum(pattern[names["lora_E"]]) for names in run.names]
            values = [layer.lora_E["default"].detach().flatten() for layer in run.layers]
            assert list(event.ranks) == kept == [int((value != 0).sum()) for value in values]
            assert event.total_rank == event.allowed == sum(kept)
            above = event.unit_scores > np.float32(event.threshold)
            counts = np.bincount(event.unit_matrix[above], minlength=6)
            assert list(counts) == kept
    assert sum(kept) == 3 * 6


@pytest.mark.parametrize("share", [0.1, 0.25, 0.5])
def test_the_total_equals_the_target_at_the_end(share: float) -> None:
    session = opened(tiny("adalora", adalora={"final_share": share}))
    finish(session)
    assert int(session.method.ranks().sum()) == 3 * 6


def test_without_a_final_share_nothing_breaks_and_the_run_says_what_is_left_over() -> None:
    session = opened(tiny("adalora", adalora={"final_share": 0.0}))
    events = finish(session)
    total = int(session.method.ranks().sum())
    warned = [event.message for event in events if event.kind == "warning"]  # type: ignore[attr-defined]
    assert (total > 3 * 6) == any("above the budget" in message for message in warned)


def test_masked_triplets_stay_out_after_the_budget_is_final() -> None:
    session = opened(tiny("adalora"))
    finish(session)
    run = run_of(session)
    for layer, kept in zip(run.layers, run.kept, strict=True):
        assert (layer.lora_E["default"].detach().flatten()[~kept] == 0).all()


def test_the_scale_is_that_of_the_other_methods() -> None:
    config = tiny("adalora")
    layer = run_of(opened(config)).layers[0]
    scale = layer.scaling["default"] / float(layer.ranknum["default"])
    assert scale == pytest.approx(config.alpha / config.reference_rank)


class WithLoss(nn.Module):
    """A model that returns a loss, as those of transformers do, and has a layer no input reaches."""

    def __init__(self) -> None:
        super().__init__()
        self.used = nn.Linear(6, 5, bias=False)
        self.unused = nn.Linear(5, 4, bias=False)

    def forward(self, x: torch.Tensor) -> SimpleNamespace:
        return SimpleNamespace(loss=self.used(x).pow(2).mean(), logits=self.used(x))


def small() -> Run:
    matrices = [Matrix("used", 0, "used", (5, 6)), Matrix("unused", 0, "unused", (4, 5))]
    config = tiny("adalora")
    return Run(Run.adapt(WithLoss(), matrices, config, []), matrices, config)


def test_the_orthogonality_term_is_the_one_peft_adds() -> None:
    run = small()
    for layer in run.layers:
        nn.init.normal_(layer.lora_A["default"])
        nn.init.normal_(layer.lora_B["default"])
    x = torch.randn(3, 6, generator=torch.Generator().manual_seed(0))
    plain = run.tuner.model(x).loss
    with_term = run.tuner(x).loss
    term = run.regulariser()
    assert term is not None
    torch.testing.assert_close(term, with_term - plain, rtol=1e-4, atol=1e-5)


def test_orthogonality_of_orthonormal_rows_is_zero_and_has_a_finite_gradient_elsewhere() -> None:
    rows = [torch.eye(3, 5), torch.eye(2, 5)]
    columns = [torch.eye(6, 3)]
    assert float(orthogonality(rows, columns)) == 0.0
    A = torch.randn(3, 5, requires_grad=True)
    orthogonality([A], columns).backward()  # type: ignore[no-untyped-call]
    assert A.grad is not None and torch.isfinite(A.grad).all()


def test_a_parameter_without_a_gradient_does_not_stop_the_run() -> None:
    run = small()
    trainable = [p for p in run.model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trainable, lr=0.01)
    run.bind_optimizer(optimizer)
    x = torch.randn(3, 6, generator=torch.Generator().manual_seed(0))
    decisions = []
    for step in range(40):
        run.tuner.model(x).logits.pow(2).mean().backward()
        run.before_step(step)
        optimizer.step()
        decisions.append(run.after_step(step))
        optimizer.zero_grad(set_to_none=True)
    assert any(decision is not None for decision in decisions)
    assert int(run.ranks()[1]) == 0
