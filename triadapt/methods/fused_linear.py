"""A frozen linear layer and its adapter as one operation: y = x W' + b + s x (B C A)'.

Shapes: x `(..., in)` with n rows in all, W `(out, in)`, b `(out,)` or None, A `(r, in)`, C `(r, r)`, B `(out, r)`,
y `(..., out)`. With g = dLoss/dy `(n, out)`, D = C' B' `(r, out)`, H = A x' `(r, n)` and E = D g' `(r, n)`:

    y = x W' + b + s H' D       dA = s E x         dD = s H g
    dx = g W + s E' A           dB = dD' C'        dC = B' dD'

Matrices of r long rows (D, H, E) make these products two to six times faster than the same ones lying on their side, r
columns wide. Only x and the small D and H are kept for the backward pass, nothing as large as y or W.
"""

from __future__ import annotations

from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import nn
from transformers.pytorch_utils import Conv1D


def add_update(
    result: torch.Tensor, x: torch.Tensor, A: torch.Tensor, core: torch.Tensor, B: torch.Tensor, scale: float
) -> torch.Tensor:
    """`result` `(..., out)` plus `scale * x (B core A)'` for x `(..., in)`, in the type of `result`.

    Made of ordinary operations, for every layer and state; `adapted_linear` is faster for those that it takes.
    """
    D, H = core.T @ B.T, A @ x.reshape(-1, x.shape[-1]).T
    flat = result.reshape(-1, result.shape[-1])
    if flat.dtype != H.dtype:
        return result + ((H.T @ D) * scale).to(result.dtype).view(result.shape)
    return torch.addmm(flat, H.T, D, alpha=scale).view(result.shape)


def frozen_linear(base: nn.Module, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None] | None:
    """Weight `(out, in)` and bias of a layer that `adapted_linear` may stand in for on the input x, or None.

    It may when calling the layer would do no more than `x W' + b` in one type: no hooks and no replaced `forward` (CPU
    offload), no quantised or otherwise special weight, nothing to train in it, no autocast, no tracing or compiling.
    """
    kind = type(base)
    if kind is not nn.Linear and kind is not Conv1D:
        return None
    weight, bias = base.weight, base.bias
    if (
        type(weight) is not nn.Parameter
        or weight.dtype != x.dtype
        or weight.requires_grad
        or (bias is not None and (bias.requires_grad or bias.dtype != x.dtype))
        or base._forward_hooks
        or base._forward_pre_hooks
        or base._backward_hooks
        or base._backward_pre_hooks
        or "forward" in base.__dict__
        or torch.is_autocast_enabled(x.device.type)
        or torch.compiler.is_compiling()
        or torch.jit.is_tracing()  # type: ignore[attr-defined, no-untyped-call]
    ):
        return None
    return (weight if kind is nn.Linear else weight.T), bias  # type: ignore[return-value]


class Core(Protocol):
    """How C `(r, r)` comes from what is trained in it."""

    def value(self, *trained: torch.Tensor) -> torch.Tensor:
        """C."""

    def gradients(self, gradient: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """dLoss/d(trained) from dLoss/dC."""


class _AdaptedLinear(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, A: torch.Tensor, B: torch.Tensor,
        scale: float, core: Core, *trained: torch.Tensor,
    ) -> torch.Tensor:  # fmt: skip
        flat, C = x.reshape(-1, x.shape[-1]), core.value(*trained)
        D, H = C.T @ B.T, A @ flat.T
        # The frozen layer's result is new and nobody else holds it, so the update goes into the same memory.
        y = F.linear(flat, weight, bias).addmm_(H.T, D, alpha=scale)
        ctx.scale, ctx.core = scale, core
        ctx.save_for_backward(x, weight, A, B, C, D, H, *trained)
        return y.view(*x.shape[:-1], y.shape[-1])

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        x, weight, A, B, C, D, H, *trained = ctx.saved_tensors
        g, flat, s = gradient.reshape(-1, gradient.shape[-1]), x.reshape(-1, x.shape[-1]), ctx.scale
        if torch.is_grad_enabled():  # create_graph: a second derivative also goes through C, D and H
            C = ctx.core.value(*trained)
            D, H = C.T @ B.T, A @ flat.T
        need_x, _, _, need_A, need_B, _, _, *need_core = ctx.needs_input_grad
        grad_x = grad_A = grad_B = None
        grad_core: tuple[torch.Tensor | None, ...] = (None,) * len(trained)
        if need_x or need_A:
            E = D @ g.T
            # With beta = 0 the first argument only gives the shape; alpha then scales without a call of its own.
            grad_A = torch.addmm(A, E, flat, beta=0, alpha=s) if need_A else None
            grad_x = (g @ weight).addmm_(E.T, A, alpha=s).view(x.shape) if need_x else None
        if need_B or any(need_core):
            grad_D = H @ g
            grad_B = torch.addmm(B, grad_D.T, C.T, beta=0, alpha=s) if need_B else None
            if any(need_core):
                grad_core = ctx.core.gradients(torch.addmm(C, B.T, grad_D.T, beta=0, alpha=s))
        return grad_x, None, None, grad_A, grad_B, None, None, *grad_core


def adapted_linear(
    x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, A: torch.Tensor, B: torch.Tensor, scale: float,
    core: Core, trained: tuple[torch.Tensor, ...],
) -> torch.Tensor:  # fmt: skip
    """`x weight' + bias + scale x (B C A)'` with C = `core.value(*trained)`, shapes as at the head of this file, all of
    one type. Taking the core apart in here spares autograd its small steps.

    weight and bias get no gradient. Second derivatives work, forward-mode ones and torch.func's transforms do not.
    """
    y: torch.Tensor = _AdaptedLinear.apply(x, weight, bias, A, B, scale, core, *trained)  # type: ignore[no-untyped-call]
    return y
