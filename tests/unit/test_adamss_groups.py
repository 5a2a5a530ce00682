"""An AdaMSS run and its adapter keep their groups where k-means and the singular vectors would come out otherwise."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from peft.tuners.adamss import layer as peft_layer
from test_export_model import info_of, loaded
from tiny_runs import finish, opened, outputs, tiny

from triadapt.methods.adamss.groups import GROUPS_FILE, groups_of, with_saved_groups
from triadapt.runs.export import MODEL_FORMS
from triadapt.training.export_model import export_model
from triadapt.training.session import Session

pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")
VALUES: dict[str, Any] = {"adamss": {"subspaces": 4, "subspace_rank": 2}, "weight_decay": 0.1}


@pytest.fixture
def elsewhere(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    """Makes what is wrapped from now on come out as on another machine: under other threads, or with other groups and
    singular vectors of another sign, which is what threads do to wider matrices."""
    before = torch.get_num_threads()
    clustering, pca = peft_layer.clustering_Z, peft_layer.slice_pca

    def other_groups(vectors: torch.Tensor, count: int, rounds: int) -> tuple[torch.Tensor, int]:
        found, held = clustering(vectors, count, rounds)
        return ((found == 0) * (torch.arange(len(found)) % held) + found * (found > 0)).roll(3), held

    def other_signs(*given: Any, **named: Any) -> tuple[torch.Tensor, torch.Tensor]:
        V, U = pca(*given, **named)
        return -V, -U

    def move() -> None:
        if request.param == "threads":
            torch.set_num_threads(2)
        else:
            monkeypatch.setattr(peft_layer, "clustering_Z", other_groups)
            monkeypatch.setattr(peft_layer, "slice_pca", other_signs)

    torch.set_num_threads(1)
    yield move
    torch.set_num_threads(before)


both = pytest.mark.parametrize("elsewhere", ["threads", "groups"], indirect=True)


def groups(session: Session) -> list[list[int]]:
    run: Any = session.method
    return [groups_of(layer, "default").tolist() for layer in run.layers]


@both
def test_a_run_goes_on_elsewhere_with_the_groups_it_began_with(elsewhere: Any, tmp_path: Path) -> None:
    straight = opened(tiny("adamss", **VALUES))
    first = opened(tiny("adamss", **VALUES), tmp_path / "run")
    for _ in range(14):
        first.advance()
    name = first.checkpoint().file
    expected = outputs(first)
    elsewhere()
    again = Session(first.config, folder=first.folder)
    fresh = groups(again)
    again.open(resume=True, checkpoint_file=name)
    assert groups(again) == groups(first)
    torch.testing.assert_close(outputs(again), expected, rtol=1e-5, atol=1e-6)
    run, was = again.method, first.method
    assert run.ranks().tolist() == was.ranks().tolist() and run.parameter_count() == was.parameter_count()
    assert run.recorded_ranks().tolist() == was.recorded_ranks().tolist()
    torch.set_num_threads(1)
    finish(again)
    finish(straight)
    torch.testing.assert_close(outputs(again), outputs(straight), rtol=1e-4, atol=1e-5)
    assert (again.method.live == straight.method.live).all()  # type: ignore[attr-defined]
    if peft_layer.clustering_Z.__name__ == "other_groups":
        assert fresh != groups(first)


@both
def test_what_is_exported_elsewhere_loads_by_its_readme_to_the_same_outputs(
    elsewhere: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = opened(tiny("adamss", **VALUES), tmp_path / "run")
    finish(session)
    session.method.close()
    session.model.eval()
    expected = outputs(session)
    elsewhere()
    export_model(info_of(session), tmp_path / "out", MODEL_FORMS)
    assert "`with_saved_groups` puts back" in (tmp_path / "out" / "README.md").read_text()
    for form in MODEL_FORMS:
        model = loaded(tmp_path / "out", form, monkeypatch)
        with torch.no_grad():
            torch.testing.assert_close(model(session.task.batch(0)[0]), expected, rtol=1e-5, atol=1e-5)


def test_groups_of_another_adapter_are_refused(tmp_path: Path) -> None:
    first = opened(tiny("adamss"), tmp_path / "a")
    first.stop("enough")
    first.advance()
    first.checkpoint()
    export_model(info_of(first), tmp_path / "a-out", ["adapter"])
    other: Any = opened(tiny("adamss", seed=5, adamss={"subspaces": 3})).model
    with pytest.raises(ValueError, match=rf"{GROUPS_FILE}: .*: the groups do not fit the factors"):
        with_saved_groups(other, tmp_path / "a-out" / "adapter")
    with pytest.raises(FileNotFoundError):
        with_saved_groups(other, tmp_path)
    wider: Any = opened(tiny("adamss", planted={**tiny("adamss").planted.model_dump(), "blocks": 2})).model
    with pytest.raises(ValueError, match="is not in both it and the adapter"):
        with_saved_groups(wider, tmp_path / "a-out" / "adapter")
