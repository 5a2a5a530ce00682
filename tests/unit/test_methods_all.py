"""What holds for every method in the registry."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from tiny_runs import advance, backward, finish, opened, outputs, tiny

from triadapt.events import RankEvent
from triadapt.methods.geometry import product_singular_values
from triadapt.methods.peft_run import PeftRun
from triadapt.methods.registry import METHODS
from triadapt.training.session import Session

ALL = pytest.mark.parametrize("method", METHODS)
ALLOTTED = pytest.mark.parametrize("method", [name for name, spec in METHODS.items() if spec.rank == "allotted"])


def run_of(session: Session) -> PeftRun:
    assert isinstance(session.method, PeftRun)
    return session.method


@ALL
def test_a_method_starts_as_the_base_model(method: str) -> None:
    session = opened(tiny(method))
    with session.model.disable_adapter():  # type: ignore[operator]
        base = outputs(session)
    if method != "qlora":  # which rounds the weights first
        torch.testing.assert_close(session.task.build_model()(session.task.batch(0)[0]), base, rtol=0, atol=1e-6)
    torch.testing.assert_close(outputs(session), base, rtol=0, atol=1e-6)


@ALL
def test_only_the_adapter_is_trained(method: str) -> None:
    session = opened(tiny(method))
    frozen = [p for name, p in session.model.named_parameters() if ".base_layer." in name]
    base = [p.detach().clone() for p in frozen]
    if method != "qlora":  # which rounds the weights first
        for left, right in zip(session.task.build_model().parameters(), frozen, strict=True):
            assert torch.equal(left, right)
    finish(session)
    for left, right in zip(base, frozen, strict=True):
        assert torch.equal(left, right)
    assert all(run_of(session).tuner.prefix in name for name in session.trainable)


@ALL
def test_a_method_learns(method: str) -> None:
    session = opened(tiny(method, steps=80))
    before = session.metrics["relative loss"]
    finish(session)
    assert session.metrics["relative loss"] < 0.8 * before


@ALL
def test_dw_is_what_the_forward_pass_adds(method: str) -> None:
    session = opened(tiny(method))
    advance(session, 20)
    widest = max(layer.in_features for layer in run_of(session).layers)
    x = torch.randn(5, widest, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        for layer in run_of(session).layers:
            given_in = x[:, : layer.in_features]
            added = layer(given_in) - layer.base_layer(given_in)
            expected = F.linear(given_in, layer.get_delta_weight("default"))
            torch.testing.assert_close(added, expected, rtol=1e-4, atol=2e-6)


@ALL
def test_geometry_gives_the_singular_values_of_the_dense_update(method: str) -> None:
    session = opened(tiny(method))
    finish(session)
    singular, core = session.method.geometry()
    ranks = [int(rank) for rank in session.method.recorded_ranks()]
    assert len(singular) == sum(ranks)
    sizes = {"triangular": sum(rank * rank for rank in ranks), "diagonal": sum(ranks), "none": 0}
    assert len(core) == sizes[session.method.core_kind]
    start = 0
    for layer, rank in zip(run_of(session).layers, ranks, strict=True):
        dense = torch.linalg.svdvals(layer.get_delta_weight("default").detach())[:rank].numpy()
        np.testing.assert_allclose(singular[start : start + rank], dense, rtol=1e-3, atol=2e-6)
        start += rank


@ALLOTTED
def test_total_rank_never_passes_the_target_and_ends_at_it(method: str) -> None:
    session = opened(tiny(method))
    target = 3 * 6
    start = int(session.method.ranks().sum())
    events = [event for event in finish(session) if isinstance(event, RankEvent)]
    totals = [start, *(event.total_rank for event in events)]
    if METHODS[method].rank == "measured":  # nobody has granted it any
        assert start == 0 and totals[-1] == int(session.method.ranks().sum()) > 0
        return
    assert totals[-1] == target == int(session.method.ranks().sum())
    if METHODS[method].allocation == "grows":
        assert totals == sorted(totals)
    else:
        assert totals == sorted(totals, reverse=True)
    for event in events:
        assert event.total_rank == event.ranks.sum()
        changed = np.flatnonzero(event.ranks != event.before)
        assert sorted(event.chosen) == list(changed)
        if METHODS[method].allocation == "grows":
            assert all(event.scores[i] >= np.float32(event.threshold) for i in event.chosen)
            assert len(event.chosen) <= event.allowed


@ALL
def test_scores_are_finite_one_for_each_matrix_or_none(method: str) -> None:
    session = opened(tiny(method))
    advance(session, 5)
    scores = session.method.scores()
    if METHODS[method].allocation == "fixed":
        assert scores is None
    else:
        assert scores is not None and scores.shape == (6,) and scores.dtype == np.float32
        assert np.isfinite(scores).all()


@ALL
def test_every_matrix_has_a_gradient_from_the_first_step(method: str) -> None:
    session = opened(tiny(method))
    backward(session)
    for layer in run_of(session).layers:
        gradients = [p.grad for p in layer.parameters() if p.requires_grad and p.grad is not None]
        assert sum(float(gradient.abs().sum()) for gradient in gradients) > 0


@ALL
def test_building_a_method_draws_nothing_from_the_global_random_state(method: str) -> None:
    config = tiny(method)
    torch.manual_seed(5)
    first = opened(config)
    torch.manual_seed(6)
    second = opened(config)
    for name, parameter in first.trainable.items():
        assert torch.equal(parameter, second.trainable[name])


@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 12), st.booleans())
def test_singular_values_of_a_product_are_those_of_the_dense_matrix(
    rows: int, columns: int, rank: int, with_core: bool
) -> None:
    generator = torch.Generator().manual_seed(rows * 100 + columns * 10 + rank)
    B, A = torch.randn(rows, rank, generator=generator), torch.randn(rank, columns, generator=generator)
    core = torch.randn(rank, rank, generator=generator) if with_core else None
    dense = B @ (A if core is None else core @ A)
    values = product_singular_values(B, core, A)
    assert values.shape == (rank,)
    expected = torch.zeros(rank)
    found = torch.linalg.svdvals(dense)[:rank]
    expected[: len(found)] = found
    torch.testing.assert_close(values, expected, rtol=1e-4, atol=1e-4)
