"""What is special about SURM: products with structured matrices, their sizes, scale and start, and PEFT's own forms."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from peft import C3AConfig, LoKrConfig, LoraConfig, PeftModel, get_peft_model
from peft.tuners.lokr.layer import factorization
from torch import nn

from triadapt import SurmConfig
from triadapt.config import parse_config
from triadapt.events import Matrix
from triadapt.methods.registry import METHODS
from triadapt.methods.surm.products import Parts, dense, multiply
from triadapt.methods.surm.settings import Settings
from triadapt.methods.surm.sizes import STRUCTURES, Structure, part_count, part_shapes, two_factors
from triadapt.reference.surm import structured

every_structure = pytest.mark.parametrize("structure", STRUCTURES)
every_shape = pytest.mark.parametrize(
    ("out", "features"), [(8, 8), (7, 7), (12, 8), (8, 12), (9, 6), (6, 9), (15, 4), (4, 15), (5, 3), (1, 1)]
)


def drawn(structure: Structure, out: int, features: int, k: int = 2, factor: int = 0) -> Parts:
    generator = torch.Generator().manual_seed(out * 100 + features)
    return {
        name: torch.randn(shape, dtype=torch.float64, generator=generator).requires_grad_()
        for name, shape in part_shapes(structure, out, features, k, factor).items()
    }


def vectors(*shape: int) -> torch.Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(3)).requires_grad_()


def same(left: torch.Tensor, right: torch.Tensor, tolerance: float = 1e-10) -> None:
    torch.testing.assert_close(left, right, rtol=tolerance, atol=tolerance)


def model_of(structure: Structure, out: int, features: int, **values: Any) -> PeftModel:
    """One linear layer under SURM."""
    torch.manual_seed(out + features)
    base: Any = nn.Sequential(nn.Linear(features, out))
    return get_peft_model(base, SurmConfig(structure=structure, target_modules=["0"], **{"alpha": 2.0, **values}))


def layer_of(model: PeftModel) -> Any:
    tuner: Any = model.base_model
    return next(iter(tuner.layers().values()))


@every_structure
@every_shape
def test_the_product_and_its_gradients_are_those_of_the_dense_matrix(
    structure: Structure, out: int, features: int
) -> None:
    parts, x, weights = drawn(structure, out, features), vectors(2, 3, features), vectors(2, 3, out)
    matrix = structured(parts, out, features)
    same(dense(parts, out, features), matrix)
    fast, slow = multiply(x, parts, out), x @ matrix.T
    same(fast, slow)
    inputs = [x, *parts.values()]
    found = torch.autograd.grad((fast * weights).sum(), inputs)
    for gradient, expected in zip(found, torch.autograd.grad((slow * weights).sum(), inputs), strict=True):
        same(gradient, expected)


@every_structure
@settings(max_examples=25, deadline=None)
@given(out=st.integers(1, 7), features=st.integers(1, 7), k=st.integers(1, 3), factor=st.integers(0, 4))
def test_gradients_are_those_of_finite_differences(
    structure: Structure, out: int, features: int, k: int, factor: int
) -> None:
    parts = drawn(structure, out, features, k, factor)

    def product(x: torch.Tensor, *values: torch.Tensor) -> torch.Tensor:
        return multiply(x, dict(zip(parts, values, strict=True)), out)

    assert torch.autograd.gradcheck(product, (vectors(2, features), *parts.values()))


@every_structure
@settings(max_examples=25, deadline=None)
@given(out=st.integers(1, 24), features=st.integers(1, 24), k=st.integers(1, 3), factor=st.integers(0, 5))
def test_any_shape_gives_the_matrix_put_down_entry_by_entry(
    structure: Structure, out: int, features: int, k: int, factor: int
) -> None:
    parts = drawn(structure, out, features, k, factor)
    matrix = structured(parts, out, features)
    assert matrix.shape == (out, features)
    same(dense(parts, out, features), matrix)
    same(multiply(torch.eye(features, dtype=torch.float64), parts, out), matrix.T)


@pytest.mark.parametrize("k", [1, 2, 3])
def test_sums_of_products_are_the_matrices_that_moving_along_the_diagonal_changes_by_their_number_in_rank(
    k: int,
) -> None:
    n = 9
    matrix = dense(drawn("displacement", n, n, k), n, n)
    down = torch.eye(n, dtype=torch.float64).roll(1, dims=0)
    skew_down = down.clone()
    skew_down[0, -1] = -1
    assert torch.linalg.matrix_rank(down @ matrix - matrix @ skew_down) == k
    assert torch.linalg.matrix_rank(matrix) == n


@every_structure
def test_no_vectors_and_vectors_without_a_batch_are_multiplied_too(structure: Structure) -> None:
    parts = drawn(structure, 6, 4)
    nothing = multiply(vectors(0, 4), parts, 6)
    assert nothing.shape == (0, 6)
    for gradient in torch.autograd.grad(nothing.sum(), list(parts.values())):
        assert not gradient.any()
    x = vectors(4)
    same(multiply(x, parts, 6), dense(parts, 6, 4) @ x)


def test_only_the_inputs_of_a_circulant_are_kept_for_its_gradients() -> None:
    for structure in ("circulant", "toeplitz", "displacement"):
        parts, x = drawn(structure, 64, 64, 4), vectors(256, 64)
        kept: dict[int, int] = {}

        def keep(tensor: torch.Tensor, kept: dict[int, int] = kept) -> torch.Tensor:
            kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            multiply(x, parts, 64)
        assert sum(kept.values()) < 1.1 * x.untyped_storage().nbytes(), structure


@every_structure
@every_shape
def test_dw_starts_at_zero_with_a_gradient_and_nothing_stays_dead(
    structure: Structure, out: int, features: int
) -> None:
    model = model_of(structure, out, features, displacement_rank=2)
    layer = layer_of(model)
    parts = layer.parts("default")
    assert not layer.delta("default").any()
    # More samples than entries, so that every entry matters.
    x = torch.randn(64, features)
    target = torch.randn(64, out)
    optimizer = torch.optim.AdamW(list(parts.values()), lr=0.05, weight_decay=0)
    before = {name: part.detach().clone() for name, part in parts.items()}
    losses = []
    for step in range(20):
        loss = (model(x) - target).pow(2).mean()
        loss.backward()
        if step == 0:
            moved = {name: bool(part.grad.all()) for name, part in parts.items()}
            assert moved == {name: name not in "gP" for name in parts}
        losses.append(loss.item())
        optimizer.step()
        optimizer.zero_grad()
    assert losses[-1] < losses[0]
    for name, part in parts.items():
        assert (part != before[name]).all(), name


@every_structure
@pytest.mark.parametrize(("out", "features"), [(8, 8), (12, 8), (6, 9)])
def test_an_adapter_is_saved_loaded_merged_and_taken_out_again(
    structure: Structure, out: int, features: int, tmp_path: Path
) -> None:
    model = model_of(structure, out, features, displacement_rank=2)
    with torch.no_grad():
        for part in layer_of(model).parts("default").values():
            part.normal_()
    x = torch.randn(5, features)
    expected = model(x)
    weight = layer_of(model).get_base_layer().weight.detach().clone()
    model.save_pretrained(str(tmp_path))
    torch.manual_seed(out + features)
    base: Any = nn.Sequential(nn.Linear(features, out))
    same(PeftModel.from_pretrained(base, str(tmp_path))(x), expected, 1e-6)
    model.merge_adapter()
    same(model(x), expected, 1e-5)
    model.unmerge_adapter()
    same(layer_of(model).get_base_layer().weight.detach(), weight, 1e-5)


@every_structure
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_types_without_fourier_transforms_are_multiplied_in_float32(structure: Structure, dtype: torch.dtype) -> None:
    exact = drawn(structure, 12, 8)
    parts = {name: part.detach().to(dtype) for name, part in exact.items()}
    x = vectors(3, 8).detach().to(dtype)
    whole = dense({name: part.double() for name, part in parts.items()}, 12, 8)
    found = multiply(x, parts, 12)
    same(found.double(), x.double() @ whole.T, 1e-5 if structure != "kronecker" else 0.05)


# Scale


@every_structure
@pytest.mark.parametrize(("out", "features"), [(96, 96), (384, 96), (96, 384)])
def test_the_first_step_moves_dw_about_as_far_as_loras_of_rank_eight(
    structure: Structure, out: int, features: int
) -> None:
    def first_step(config: Any) -> float:
        torch.manual_seed(0)
        base: Any = nn.Sequential(nn.Linear(features, out))
        model = get_peft_model(base, config)
        optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-3)
        model(torch.randn(64, features)).pow(2).mean().backward()
        optimizer.step()
        module: Any = dict(model.base_model.model.named_modules())["0"]
        return float(module.get_delta_weight("default").detach().pow(2).mean().sqrt())

    alpha = 2.0
    lora = first_step(LoraConfig(r=8, lora_alpha=8 * alpha, target_modules=["0"]))
    surm = first_step(SurmConfig(structure=structure, alpha=alpha, target_modules=["0"]))
    assert 0.5 < surm / lora < 2, surm / lora


def test_a_run_passes_on_alpha_over_the_reference_rank() -> None:
    config = parse_config({"method": "surm", "alpha": 12, "reference_rank": 3, "surm": {"structure": "toeplitz"}})
    run: Any = METHODS["surm"].run_class()
    found = run.peft_config(config, ["0"])
    assert (found.alpha, found.structure) == (4.0, "toeplitz")
    back = parse_config({"method": "surm", **run.values_of(found)})
    assert run.peft_config(back, ["0"]).to_dict() == found.to_dict()


# PEFT's own


def test_a_circulant_is_c3a_with_one_block() -> None:
    """C3A's block has w[(j - i) mod n] in row i and column j, over n: the transpose, that is the first row."""
    n = 12
    base: Any = nn.Sequential(nn.Linear(n, n))
    other = get_peft_model(base, C3AConfig(block_size=n, target_modules=["0"], init_weights="gaussian"))
    module: Any = other.base_model.model[0]
    kernel = module.c3a_kernel["default"].detach().flatten()
    model = model_of("circulant", n, n, alpha=math.sqrt(n))
    layer = layer_of(model)
    assert layer.scaling["default"] == 1
    layer.surm_c["default"].data = kernel.flip(0).roll(1) / n
    same(layer.get_delta_weight("default"), module.get_delta_weight("default"), 1e-6)


@pytest.mark.parametrize(("out", "features"), [(12, 12), (24, 12), (12, 30), (7, 12)])
@pytest.mark.parametrize("factor", [0, 2, 4])
def test_a_kronecker_product_is_lokr_with_whole_factors(out: int, features: int, factor: int) -> None:
    base: Any = nn.Sequential(nn.Linear(features, out))
    config = LoKrConfig(
        r=64, alpha=64, decompose_both=False, decompose_factor=factor or -1, target_modules=["0"], init_weights=False
    )
    module: Any = get_peft_model(base, config).base_model.model[0]
    model = model_of("kronecker", out, features, alpha=math.sqrt(features), factor=factor)
    layer = layer_of(model)
    P, Q = module.lokr_w1["default"].detach(), module.lokr_w2["default"].detach()
    assert layer.surm_P["default"].shape == P.shape and layer.surm_Q["default"].shape == Q.shape
    layer.surm_P["default"].data, layer.surm_Q["default"].data = P, Q
    same(layer.get_delta_weight("default"), module.get_delta_weight("default"), 1e-6)


def test_factors_are_those_of_lokr() -> None:
    for size in range(1, 200):
        assert two_factors(size) == factorization(size, -1)
        for factor in range(1, 20):
            assert two_factors(size, factor) == factorization(size, factor), (size, factor)


# Sizes


def encoder_shapes(layers: int = 12, width: int = 768, inner: int = 3072) -> list[tuple[int, int]]:
    """Query, key, value, attention output, up and down of BERT-base and DeBERTaV3-base alike."""
    return [*[(width, width)] * 4, (inner, width), (width, inner)] * layers


@every_structure
def test_parameters_are_counted_by_the_formula_from_shapes_alone(structure: Structure) -> None:
    shapes = encoder_shapes()
    k = 2
    counted = Settings(structure=structure, displacement_rank=k).parameters(None, shapes)
    with torch.device("meta"):
        base: Any = nn.Sequential(*[nn.Linear(features, out, bias=False) for out, features in shapes])
        names = [str(index) for index in range(len(shapes))]
        model = get_peft_model(base, SurmConfig(structure=structure, displacement_rank=k, target_modules=names))
    assert sum(p.numel() for p in model.parameters() if p.requires_grad) == counted
    expected = {
        "circulant": 12 * (4 * 768 + 2 * 3072),
        "toeplitz": 12 * (4 * 768 + 2 * 3072),
        "displacement": 12 * 2 * k * (4 * 768 + 2 * 3072),
        # 768 = 24 * 32, 3072 = 48 * 64
        "kronecker": 12 * (4 * (24 * 24 + 32 * 32) + 2 * (48 * 24 + 64 * 32)),
    }
    assert counted == expected[structure]


def test_twelve_times_fewer_parameters_than_lora_is_rank_six_on_square_layers() -> None:
    """LoRA of rank r has `r (in + out)`: 2 r times the n numbers of a square layer, 1.25 r times those of BERT's
    feed-forward layers, r / k times the 2 k n numbers of k products."""

    def ratio(structure: Structure, shape: tuple[int, int], rank: int) -> float:
        return rank * sum(shape) / part_count(structure, *shape, 1, 0)

    square, up = (768, 768), (3072, 768)
    assert ratio("circulant", square, 6) == ratio("toeplitz", square, 6) == 12
    assert ratio("circulant", up, 9) < 12 < ratio("circulant", up, 10)
    assert ratio("displacement", square, 12) == 12
    assert ratio("kronecker", square, 12) < 12 < ratio("kronecker", square, 13)


# Bad input


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"structure": "hankel"}, "structure = 'hankel': must be one of kronecker, circulant, toeplitz, displacement"),
        ({"displacement_rank": 0}, "displacement_rank = 0: must be at least 1"),
        ({"factor": -1}, "factor = -1: must be at least 0"),
    ],
)
def test_a_wrong_configuration_names_field_value_and_fix(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SurmConfig(target_modules=["0"], **values)


def test_a_run_measures_the_rank_of_what_it_has_trained() -> None:
    config = parse_config({"method": "surm", "surm": {"structure": "circulant"}})
    run_class: Any = METHODS["surm"].run_class()
    matrices = [Matrix("0", 0, "0", (8, 8))]
    run = run_class(run_class.adapt(nn.Sequential(nn.Linear(8, 8)), matrices, config, []), matrices, config)
    run.geometry()
    assert run.ranks().tolist() == [0] and run.parameter_count() == 8
    run.layers[0].surm_c["default"].data[0] = 1.0
    singular, _ = run.geometry()
    assert run.ranks().tolist() == [8] and len(singular) == 8
