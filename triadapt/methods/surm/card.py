"""SURM at a glance."""

from triadapt.methods.card import Card

CARD = Card(
    formula="dW = s M / √in, where M is a sum of k products circulant(g) skew-circulant(h), one circulant, one "
    "symmetric Toeplitz matrix, or a Kronecker product P ⊗ Q",
    parameters="With n = max(out, in): 2 k n for k products, n for circulant and Toeplitz; for Kronecker the entries "
    "of P and Q",
    adapts="The few numbers that fill a structured matrix are trained; its rank may be full from the start.",
    fixed="The structure is chosen once and is the same for every matrix; n, and with it the size, is the layer's.",
    choose="Adapters have to be small, half of LoRA of rank 1 if need be, and the change is not thought to be of low "
    "rank.",
    avoid="The change sits in few directions, as the planted one does: a product of low rank holds it, and a circulant "
    "hardly any of it. Nor where steps have to be fast: but for Kronecker's, its products take several times as long "
    "as LoRA's.",
    paper="Structured Unrestricted-Rank Matrices for Parameter Efficient Fine-tuning",
    source="https://arxiv.org/abs/2406.17740",
    notes=(
        "A layer that is not square takes the leading corner of a square structured matrix of its larger side.",
        "√in makes the first step of dW about as long as that of LoRA with the same s.",
        "dW starts at 0: c, t, h and Q are 0, g and P are drawn.",
    ),
)
