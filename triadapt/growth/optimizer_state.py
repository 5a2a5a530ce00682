"""Enlarging a parameter under a living optimizer.

The parameter object stays, so schedulers, parameter groups and gradient clipping go on as before; its data and the
optimizer's state for it are padded with zeros at the end of every dimension.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import torch


def pad_to(tensor: torch.Tensor, shape: torch.Size, value: float = 0.0) -> torch.Tensor:
    """`tensor` with `value` appended at the end of each dimension up to `shape`."""
    padded = tensor.new_full(shape, value)
    padded[tuple(slice(0, size) for size in tensor.shape)] = tensor
    return padded


def replace_data(parameter: torch.nn.Parameter, data: torch.Tensor) -> None:
    """Give `parameter` data of another shape.

    As long as the loss of the last step is alive, so is autograd's node that adds up this parameter's gradient, and it
    remembers the old shape. PyTorch drops the node when the type of the data changes, so the type changes twice.
    """
    other = torch.float64 if data.dtype != torch.float64 else torch.float32
    parameter.data = torch.empty(0, dtype=other, device=data.device)
    parameter.data = data


def enlarge(
    parameter: torch.nn.Parameter,
    data: torch.Tensor,
    optimizer: torch.optim.Optimizer | None,
    *,
    keep_gradient: bool = False,
) -> None:
    """Give `parameter` the larger `data`, whose leading part holds the old values, and pad its optimizer state.

    The gradient is cleared, or with `keep_gradient` padded with zeros for a step that is still to come. State tensors
    of the parameter's old shape are padded with what a fresh state holds, scalars are kept; a tensor of any other
    layout (Adafactor's factored second moment, 8-bit moments) cannot be padded, so the state of this parameter is then
    dropped with one warning and starts afresh.
    """
    old_shape, gradient = parameter.shape, parameter.grad
    parameter.grad = None
    replace_data(parameter, data)
    if keep_gradient and gradient is not None:
        parameter.grad = pad_to(gradient, data.shape)
    if optimizer is None:
        return
    state = optimizer.state.get(parameter)
    if not state:
        return
    for name, value in list(state.items()):
        if not isinstance(value, torch.Tensor) or value.ndim == 0:
            continue
        # A factored moment of a one-row or one-column parameter may happen to have the parameter's shape.
        factored = {"row", "col"} & set(str(name).split("_"))
        if value.shape == old_shape and value.is_floating_point() and not factored:
            state[name] = pad_to(value, data.shape, _fresh_value(optimizer, str(name)))
        else:
            warnings.warn(
                f"{type(optimizer).__name__}: its state {name!r} cannot be padded, so a parameter that grows starts "
                f"with a fresh state",
                stacklevel=2,
            )
            optimizer.state[parameter] = {}
            return


def _fresh_value(optimizer: torch.optim.Optimizer, name: str) -> float:
    """What the optimizer fills a state tensor of that name with at its first step."""
    return float(optimizer.defaults.get("initial_accumulator_value", 0.0)) if name == "sum" else 0.0


def step_is_skipped(optimizer: torch.optim.Optimizer) -> bool:
    """Whether the step under way changes nothing, because gradients overflowed under a gradient scaler. Optimizers that
    are not fused are not even called then."""
    overflow = getattr(optimizer, "found_inf", None)
    return isinstance(overflow, torch.Tensor) and bool(overflow.item())


def optimizer_bytes(optimizer: torch.optim.Optimizer) -> int:
    """Bytes of all tensors in the optimizer's state."""
    return sum(
        value.numel() * value.element_size()
        for state in optimizer.state.values()
        for value in state.values()
        if isinstance(value, torch.Tensor)
    )


def fresh_step_factor(optimizer_steps: int, steps_since_growth: int, beta1: float, beta2: float) -> float:
    """What an update of a new entry must be multiplied by so that it steps like under a fresh Adam.

    Zero-padded moments share the step count of the older entries, whose bias correction has long faded: unmended, new
    entries would move up to six times the learning rate. `optimizer_steps` and `steps_since_growth` count the step
    under way.
    """
    big, small = optimizer_steps, steps_since_growth
    return math.sqrt(1 - beta2**small) / (1 - beta1**small) * (1 - beta1**big) / math.sqrt(1 - beta2**big)


class FreshSteps:
    """Scales the updates of recently grown entries so that they step like fresh ones.

    Registers itself on the optimizer: before each step it keeps the values of the parameters that grew, after the step
    it shortens the way the new entries went. `pace(step, birth)` may change the learning rate of a block further, as a
    ratio to the main one (IncreLoRA's warm-up restart). All grown parameters are handled in one flat tensor, so the
    number of kernels does not depend on how many grew; nothing is done until something grows.

    The correction is Adam's (and AdamW's). SGD, RMSprop and Adagrad need none: padded with a fresh state, new entries
    step like fresh ones there by themselves, and only `pace` applies. Decoupled weight decay (AdamW) has no moments to
    correct and stays at the main learning rate.
    """

    def __init__(self, optimizer: torch.optim.Optimizer, pace: Callable[[int, int], float] | None = None) -> None:
        self.steps = 0
        self.pace = pace
        self._blocks: dict[torch.nn.Parameter, list[tuple[torch.Size, int]]] = {}
        self._births: list[tuple[int, tuple[float, float] | None]] = []
        self._index: torch.Tensor | None = None
        self._old: torch.Tensor | None = None
        self._optimizer = optimizer
        self._adam = isinstance(optimizer, torch.optim.Adam | torch.optim.AdamW)
        # Steps that the optimizer had done before; they too have made its bias correction fade.
        self._earlier = max((int(state["step"]) for state in optimizer.state.values() if "step" in state), default=0)
        self._handles = [
            optimizer.register_step_pre_hook(self._before),
            optimizer.register_step_post_hook(self._after),
        ]

    def remove(self) -> None:
        """Take the hooks off."""
        for handle in self._handles:
            handle.remove()

    def born(self, parameter: torch.nn.Parameter, old_shape: torch.Size, *, before_step: bool = False) -> None:
        """Remember that everything in `parameter` beyond `old_shape` is new from the next step on; `before_step` when
        the optimizer is about to do a step that the new entries take no part in."""
        self._blocks.setdefault(parameter, []).append((old_shape, self.steps + before_step))
        self._index = None

    def _factor(self, birth: int, betas: tuple[float, float] | None) -> float:
        if self.steps == birth:  # grown between backward and the step under way, so without a gradient of its own
            return 0.0
        factor = fresh_step_factor(self._earlier + self.steps, self.steps - birth, *betas) if betas else 1.0
        return factor * (self.pace(self.steps, birth) if self.pace else 1.0)

    def _build_index(self) -> torch.Tensor:
        """For every entry of the grown parameters, flat, which birth it belongs to; 0 for entries of the start."""
        groups = self._optimizer.param_groups if self._adam else []
        betas = {parameter: tuple(group["betas"]) for group in groups for parameter in group["params"]}
        kinds = {(birth, betas.get(p)) for p, blocks in self._blocks.items() for _, birth in blocks}
        self._births = sorted(kinds, key=str)
        number = {kind: i + 1 for i, kind in enumerate(self._births)}
        parts = []
        for parameter, blocks in self._blocks.items():
            index = torch.zeros(parameter.shape, dtype=torch.int64)
            # Blocks are nested, so painting from the youngest to the oldest leaves each entry its own birth.
            outer = parameter.shape
            for shape, birth in reversed(blocks):
                index[tuple(slice(0, size) for size in outer)] = number[birth, betas.get(parameter)]
                outer = shape
            index[tuple(slice(0, size) for size in outer)] = 0
            parts.append(index.flatten())
        device = next(iter(self._blocks)).device
        return torch.cat(parts).to(device)

    def _decays(self) -> dict[torch.nn.Parameter, float]:
        """Share of its value that decoupled weight decay takes from a parameter in this step, where it is not 0."""
        adamw = isinstance(self._optimizer, torch.optim.AdamW)
        return {
            parameter: float(group["lr"]) * group["weight_decay"]
            for group in self._optimizer.param_groups
            if group.get("weight_decay") and group.get("decoupled_weight_decay", adamw)
            for parameter in group["params"]
        }

    def _before(self, *_: Any) -> None:
        if step_is_skipped(self._optimizer):
            return
        self.steps += 1
        if self._blocks:
            decays = self._decays()
            # Decay is no part of the way that is shortened, so the way starts where decay ends.
            self._old = torch.cat([p.detach().flatten() * (1 - decays.get(p, 0.0)) for p in self._blocks])

    @torch.no_grad()
    def _after(self, *_: Any) -> None:
        if self._old is None:
            return
        if self._index is None:
            self._index = self._build_index()
        parameters = list(self._blocks)
        new = torch.cat([parameter.detach().flatten() for parameter in parameters])
        table = torch.tensor([1.0, *(self._factor(*kind) for kind in self._births)], dtype=new.dtype)
        mended = torch.lerp(self._old, new, table.to(new.device)[self._index])
        for parameter, part in zip(parameters, torch.split(mended, [p.numel() for p in parameters]), strict=True):
            parameter.copy_(part.view_as(parameter))
        self._old = None

    def state(self, names: dict[torch.nn.Parameter, str]) -> dict[str, Any]:
        """Step count and births, as JSON values; `names` gives each parameter a stable name."""
        blocks = {names[p]: [[list(shape), birth] for shape, birth in born] for p, born in self._blocks.items()}
        return {"steps": self.steps, "earlier": self._earlier, "blocks": blocks}

    def load_state(self, state: dict[str, Any], parameters: dict[str, torch.nn.Parameter]) -> None:
        """Inverse of `state`."""
        self.steps, self._earlier = int(state["steps"]), int(state.get("earlier", 0))
        self._blocks = {
            parameters[name]: [(torch.Size(shape), int(birth)) for shape, birth in born]
            for name, born in state["blocks"].items()
        }
        self._index = None
