from typing import Any

import pytest
import torch

from triadapt.tasks.planted.settings import Settings
from triadapt.tasks.planted.task import PlantedTask

SIZE: dict[str, Any] = {
    "blocks": 2, "width": 16, "heads": 2, "tokens": 4, "pool": 64, "held_out": 16, "planted_rank": 3,
}  # fmt: skip


def task(seed: int = 1, batch_size: int = 16, **settings: Any) -> PlantedTask:
    return PlantedTask(Settings(**{**SIZE, **settings}), seed=seed, batch_size=batch_size, steps=50, device="cpu")


def test_the_same_seed_gives_the_same_data_and_teacher() -> None:
    first, second, other = task(), task(), task(seed=2)
    assert first.matrices() == second.matrices()
    assert first.describe() == second.describe()
    for step in (0, 3, 4, 11):
        for left, right in zip(first.batch(step), second.batch(step), strict=True):
            assert torch.equal(left, right)
    assert first.evaluate(first.build_model()) == second.evaluate(second.build_model())
    assert not torch.equal(first.batch(0)[0], other.batch(0)[0])


def test_the_global_random_state_plays_no_part() -> None:
    torch.manual_seed(0)
    first = task()
    torch.manual_seed(99)
    second = task()
    assert first.describe() == second.describe()
    assert torch.equal(first.batch(2)[0], second.batch(2)[0])


def test_a_batch_depends_on_its_step_only() -> None:
    forward, backward = task(), task()
    batches = {step: forward.batch(step) for step in range(12)}
    for step in reversed(range(12)):
        inputs, targets = backward.batch(step)
        assert torch.equal(inputs, batches[step][0])
        assert torch.equal(targets, batches[step][1])


@pytest.mark.parametrize("batch_size", [16, 24, 64])
def test_an_epoch_shows_no_row_twice_and_all_where_batches_divide_the_pool(batch_size: int) -> None:
    source = task(batch_size=batch_size)
    per_epoch = 64 // batch_size
    orders = []
    for epoch in range(3):
        rows = torch.cat([source.batch(epoch * per_epoch + place)[0] for place in range(per_epoch)])
        assert rows.shape == (per_epoch * batch_size, 4, 16)
        assert len(torch.unique(rows[:, 0, 0])) == per_epoch * batch_size
        orders.append(rows)
    assert not torch.equal(orders[0], orders[1])


@pytest.mark.parametrize("where", ["random", "first", "last"])
def test_planted_ranks_are_the_ranks_of_what_the_teacher_has_more(where: str) -> None:
    made = task(where=where)
    differences = weights_apart(made)
    ranks = [int(torch.linalg.matrix_rank(difference, rtol=1e-4)) for difference in differences]
    assert ranks == [matrix.planted_rank for matrix in made.matrices()]
    assert sorted(ranks, reverse=True) == [3] * 3 + [0] * 9
    if where == "first":
        assert ranks[:3] == [3] * 3
    if where == "last":
        assert ranks[-3:] == [3] * 3


def weights_apart(made: PlantedTask) -> list[torch.Tensor]:
    """dW* of every matrix, found by planting on a student of the same seed once more."""
    student = made.build_model()
    teacher = made.build_model()
    generator = torch.Generator().manual_seed(made.seed)
    for parameter in student.parameters():
        torch.randn(parameter.shape, generator=generator)
    made._plant(teacher, generator)  # type: ignore[arg-type]
    inputs, targets = made.batch(0)
    torch.testing.assert_close(teacher(inputs), targets, rtol=1e-4, atol=1e-5)
    names = [matrix.name for matrix in made.matrices()]
    return [teacher.get_submodule(name).weight - student.get_submodule(name).weight for name in names]  # type: ignore[operator]


def test_strength_is_the_spectral_norm_of_a_planted_change_over_that_of_its_matrix() -> None:
    made = task(strength=0.5, where="first")
    student = made.build_model()
    for matrix, difference in list(zip(made.matrices(), weights_apart(made), strict=True))[:3]:
        weight = student.get_submodule(matrix.name).weight
        assert isinstance(weight, torch.Tensor)
        ratio = torch.linalg.matrix_norm(difference, ord=2) / torch.linalg.matrix_norm(weight, ord=2)
        assert float(ratio) == pytest.approx(0.5, rel=1e-4)


def test_a_planted_rank_above_a_matrix_stops_at_its_size() -> None:
    assert {matrix.planted_rank for matrix in task(planted_rank=200, planted_fraction=1.0).matrices()} == {16}


def test_matrices_come_by_layer_then_by_module_and_name_linear_layers_of_their_shape() -> None:
    made = task()
    model = made.build_model()
    assert [(m.layer, m.module) for m in made.matrices()] == [
        (layer, module) for layer in range(2) for module in ("q", "k", "v", "o", "up", "down")
    ]
    for matrix in made.matrices():
        linear = model.get_submodule(matrix.name)
        assert isinstance(linear, torch.nn.Linear)
        assert tuple(linear.weight.shape) == matrix.shape


def test_every_model_is_equal_frozen_and_of_its_own() -> None:
    made = task()
    first, second = made.build_model(), made.build_model()
    for left, right in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(left, right)
        assert left.data_ptr() != right.data_ptr()
        assert not left.requires_grad


@pytest.mark.parametrize("settings", [{}, {"noise": 0.3}, {"blocks": 1, "planted_fraction": 1.0}])
def test_the_metric_is_one_before_training(settings: dict[str, Any]) -> None:
    made = task(**settings)
    metrics = made.evaluate(made.build_model())
    assert metrics["relative loss"] == pytest.approx(1.0, abs=1e-6)
    assert metrics["loss"] == pytest.approx(made.describe()["start_loss"])
    assert made.baselines() == {"unadapted": 1.0}


def test_with_nothing_planted_the_loss_and_the_metric_are_zero() -> None:
    made = task(planted_fraction=0.0)
    assert made.evaluate(made.build_model()) == {"relative loss": 0.0, "loss": 0.0}


def test_noise_moves_training_targets_and_leaves_held_out_ones_alone() -> None:
    quiet, noisy = task(), task(noise=0.1)
    moved = noisy.batch(0)[1] - quiet.batch(0)[1]
    assert float(moved.std()) == pytest.approx(0.1, rel=0.1)
    assert noisy.evaluate(noisy.build_model()) == quiet.evaluate(quiet.build_model())
