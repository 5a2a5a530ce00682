"""What is special to the two growing methods, TriAdaptLoRA and IncreLoRA."""

from typing import Any

import numpy as np
import pytest
import torch
from tiny_runs import advance, around_events, backward, finish, opened, outputs, tiny
from torch.func import functional_call

from triadapt.events import RankEvent
from triadapt.methods.growing import decide_growth
from triadapt.methods.increlora.layer import RESERVE_VALUE
from triadapt.methods.increlora.run import Run as IncreRun
from triadapt.methods.triadaptlora.layer import block_lower_mask
from triadapt.methods.triadaptlora.run import Run as TriadaptRun
from triadapt.training.session import Session

GROWING = pytest.mark.parametrize("method", ["triadaptlora", "increlora"])


def until_growth(method: str, **values: Any) -> tuple[Session, RankEvent]:
    session = opened(tiny(method, **values))
    while True:
        for event in session.advance():
            if isinstance(event, RankEvent):
                return session, event


def triadapt(session: Session) -> TriadaptRun:
    assert isinstance(session.method, TriadaptRun)
    return session.method


def incre(session: Session) -> IncreRun:
    assert isinstance(session.method, IncreRun)
    return session.method


@GROWING
@pytest.mark.parametrize("add_r", [1, 2])
def test_growing_leaves_the_function_as_it_is(method: str, add_r: int) -> None:
    session = opened(tiny(method, add_r=add_r))
    seen = around_events(session, outputs)
    finish(session)
    assert len(seen) >= 3
    for number, (before, after) in enumerate(seen):
        closing = method == "increlora" and number == len(seen) - 1
        # At the target IncreLoRA switches its reserves off, which were there at 1e-5.
        tolerance = 1e-3 if closing else 1e-6
        torch.testing.assert_close(after, before, rtol=0, atol=tolerance)


def test_a_new_triangular_block_has_a_gradient_at_once_and_in_every_part_one_step_later() -> None:
    session, event = until_growth("triadaptlora", add_r=2)
    layer = triadapt(session).layers[event.chosen[0]]
    old, new = int(event.before[event.chosen[0]]), int(event.ranks[event.chosen[0]])
    assert new == old + 2
    A, B, L, U = (getattr(layer, f"triadaptlora_{part}")["default"] for part in "ABLU")
    backward(session)
    # A new row of A acts through its column of B, which is 0 at birth.
    assert (B.grad[:, old:].abs().amax(0) > 0).all()
    assert (U.grad[:old, old:] != 0).all()
    session.advance()
    backward(session)
    assert (A.grad[old:].abs().amax(1) > 0).all()
    assert (B.grad[:, old:].abs().amax(0) > 0).all()
    assert (L.grad[old:, :] != 0).all()
    assert (U.grad[:, old:] != 0).all()


def test_a_granted_triplet_and_the_reserve_behind_it_have_gradients_at_once() -> None:
    session, event = until_growth("increlora", add_r=2, reference_rank=6)
    layer = incre(session).layers[event.chosen[0]]
    A, B, E = (getattr(layer, f"increlora_{part}")["default"] for part in "ABE")
    used = layer.used("default")
    assert A.shape[0] == used + 2
    backward(session)
    assert (E.grad[:used] != 0).all()
    assert (E.grad[used:] == 0).all()
    assert (A.grad.abs().amax(1) > 0).all()
    assert (B.grad.abs().amax(0) > 0).all()


def test_l_stays_block_lower_and_u_block_upper_with_the_diagonal_blocks_in_both() -> None:
    session = opened(tiny("triadaptlora", add_r=2, weight_decay=0.1))
    finish(session)
    grown = 0
    for layer in triadapt(session).layers:
        blocks = layer.blocks("default")
        mask = block_lower_mask(blocks).bool()
        L, U = layer.triadaptlora_L["default"].detach(), layer.triadaptlora_U["default"].detach()
        assert (L[~mask] == 0).all()
        assert (U[~mask.T] == 0).all()
        torch.testing.assert_close(layer.core("default").detach(), L + U, rtol=0, atol=0)
        if len(blocks) > 1:
            grown += 1
            assert (L[mask] != 0).all()
            assert (U[mask.T] != 0).all()
    assert grown


@pytest.mark.parametrize("blocks", [[1], [1, 1, 1], [2, 3], [1, 2, 1]])
def test_the_mask_gives_each_block_its_rows_up_to_the_end_of_its_own_diagonal(blocks: list[int]) -> None:
    mask = block_lower_mask(blocks)
    number = [i for i, size in enumerate(blocks) for _ in range(size)]
    expected = [[float(number[column] <= number[row]) for column in range(sum(blocks))] for row in range(sum(blocks))]
    assert mask.tolist() == expected


@pytest.mark.parametrize("add_r", [1, 2])
def test_triadaptlora_counts_r_times_both_sides_and_both_triangles(add_r: int) -> None:
    session = opened(tiny("triadaptlora", add_r=add_r))
    finish(session)
    expected = 0
    for layer, matrix in zip(triadapt(session).layers, session.matrices, strict=True):
        blocks = layer.blocks("default")
        sizes = np.cumsum(blocks)
        expected += sizes[-1] * sum(matrix.shape) + 2 * sum(b * s for b, s in zip(blocks, sizes, strict=True))
    assert session.method.parameter_count() == expected


def test_increlora_counts_the_triplets_in_use() -> None:
    session, event = until_growth("increlora")
    expected = sum(int(rank) * (sum(m.shape) + 1) for rank, m in zip(event.ranks, session.matrices, strict=True))
    assert session.method.parameter_count() == expected == event.trainable_parameters


def test_triadapt_importance_is_the_rise_of_the_normalised_norm_since_the_last_event(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    session = opened(tiny("triadaptlora"))
    run = triadapt(session)

    def norms() -> np.ndarray:
        return np.array(
            [
                np.linalg.norm(layer.core("default").detach().numpy()) / len(layer.blocks("default"))
                for layer in run.layers
            ]
        )

    at_events = [norms()]
    event_scores = run.event_scores

    def watched() -> np.ndarray:
        at_events.append(norms())
        return event_scores()

    monkeypatch.setattr(run, "event_scores", watched)
    events = [event for event in finish(session) if isinstance(event, RankEvent)]
    assert len(events) >= 3
    for event, before, now in zip(events, at_events, at_events[1:], strict=False):
        np.testing.assert_allclose(event.scores, now - before, rtol=1e-4, atol=1e-6)


def test_the_increlora_score_equals_that_of_an_explicit_dense_update() -> None:
    session = opened(tiny("increlora"))
    run = incre(session)
    advance(session, 5)
    base = session.task.build_model()
    names = [f"{matrix.name}.weight" for matrix in session.matrices]
    weights = dict(base.named_parameters())
    deltas = [layer.delta("default").detach().requires_grad_() for layer in run.layers]
    adapted = {name: weights[name] + delta for name, delta in zip(names, deltas, strict=True)}
    inputs, targets = session.task.batch(session.step)
    loss = torch.nn.functional.mse_loss(functional_call(base, adapted, (inputs,)), targets)
    gradients = torch.autograd.grad(loss, deltas)
    score = torch.tensor(
        [float((d * g).detach().abs().sum()) / d.numel() ** 0.5 for d, g in zip(deltas, gradients, strict=True)]
    )
    average, uncertainty = run.average.clone(), run.uncertainty.clone()
    session.advance()
    expected = 0.85 * average + 0.15 * score
    torch.testing.assert_close(run.average, expected, rtol=1e-4, atol=1e-9)
    unsure = 0.85 * uncertainty + 0.15 * (score - expected).abs()
    torch.testing.assert_close(run.uncertainty, unsure, rtol=1e-3, atol=1e-9)
    np.testing.assert_allclose(run.scores(), (expected * unsure).numpy(), rtol=1e-3)


def test_increlora_grows_the_top_h_by_importance() -> None:
    _, event = until_growth("increlora", top_h=3)
    assert event.allowed == 3
    assert list(event.chosen) == list(np.argsort(-event.scores, kind="stable")[:3])
    assert event.rule == "top-h"


def test_reserves_are_at_their_small_value_until_the_target_and_off_after_it() -> None:
    session = opened(tiny("increlora"))
    run = incre(session)
    target = 3 * 6
    while not session.done:
        session.advance()
        reached = int(run.ranks().sum()) >= target
        for layer in run.layers:
            reserve = layer.values("default")[layer.used("default") :]
            assert len(reserve) == 1
            assert (reserve == (0.0 if reached else RESERVE_VALUE)).all()
            assert layer.observing is not reached
    assert reached


def test_a_budget_that_is_met_from_the_start_has_its_reserves_off() -> None:
    session = opened(tiny("increlora", reference_rank=1))
    for layer in incre(session).layers:
        assert (layer.values("default")[layer.used("default") :] == 0).all()
        assert not layer.observing


def test_without_advance_learning_there_is_no_reserve() -> None:
    session = opened(tiny("increlora", increlora={"advance_learning": False}))
    finish(session)
    run = incre(session)
    assert [layer.increlora_A["default"].shape[0] for layer in run.layers] == list(run.ranks())


def test_the_value_of_a_granted_triplet_steps_like_under_a_fresh_adam() -> None:
    """Its first step is one learning rate, whatever the age of the reserve it comes from."""
    session, event = until_growth(
        "increlora", warmup=15, interval=16, lr_schedule="constant", increlora={"block_warmup": False}
    )
    layer = incre(session).layers[event.chosen[0]]
    old, used = int(event.before[event.chosen[0]]), layer.used("default")
    value = layer.increlora_E["default"]
    before = value.detach().clone()
    session.advance()
    moved = (value.detach() - before)[old:used].abs()
    torch.testing.assert_close(moved, torch.full_like(moved, session.config.learning_rate), rtol=1e-3, atol=0)


def test_a_new_block_warms_up_over_one_interval_and_decays_to_nothing_at_the_end() -> None:
    session = opened(tiny("increlora", steps=100, interval=10, lr_schedule="linear"))
    run, birth = incre(session), 30
    rate = [run.pace(step, birth) * (1 - (step - 1) / 100) for step in range(birth + 1, 101)]
    assert rate[:10] == pytest.approx([k / 10 for k in range(1, 11)], abs=0.02)
    assert rate[9:] == sorted(rate[9:], reverse=True)
    assert rate[-1] == pytest.approx(1 / 60)


def test_adalora_and_increlora_share_one_orthogonality_term_that_the_loss_does_not_show() -> None:
    session = opened(tiny("increlora"))
    run = incre(session)
    norms = []
    for layer in run.layers:
        for gram in (
            layer.increlora_A["default"] @ layer.increlora_A["default"].T,
            layer.increlora_B["default"].T @ layer.increlora_B["default"],
        ):
            norms.append(torch.linalg.matrix_norm(gram - torch.eye(len(gram))))
    term = run.regulariser()
    assert term is not None
    torch.testing.assert_close(term, 0.1 * torch.stack(norms).mean())
    plain = float(session.task.loss(session.model, session.task.batch(0)).detach())
    assert session.advance()[0].loss == pytest.approx(plain)  # type: ignore[attr-defined]


def decide(ranks: list[int], scores: list[float], **values: Any) -> tuple[Any, list[tuple[int, int]]]:
    config = tiny("triadaptlora", **values)
    return decide_growth(
        config,
        step=38,
        scores=np.array(scores, np.float32),
        ranks=np.array(ranks, np.uint16),
        matrices=opened(tiny("lora")).matrices,
        rule="linear",
    )


def test_ties_at_the_threshold_go_to_the_first_matrices_and_stay_within_what_is_allowed() -> None:
    decision, granted = decide([1] * 6, [0.5] * 6, growth="fixed", top_h=2)
    assert granted == [(0, 1), (1, 1)]
    assert decision.allowed == 2 and decision.threshold == 0.5


def test_the_last_event_is_clipped_to_what_is_left_of_the_budget() -> None:
    _, granted = decide([3, 3, 3, 3, 3, 2], [0, 0, 0, 9, 1, 0], growth="fixed", top_h=3, add_r=2)
    assert granted == [(3, 1)]


def test_a_full_matrix_is_passed_over() -> None:
    decision, granted = decide([16, 1, 1, 1, 1, 1], [9, 1, 2, 3, 4, 5], reference_rank=6, growth="fixed", top_h=1)
    assert granted == [(5, 1)]
    assert decision.threshold == 5
