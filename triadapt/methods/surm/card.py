"""SURM at a glance."""

from triadapt.methods.card import Card

CARD = Card(
    formula="dW = α/(r₀ √in) M, with M circulant, symmetric Toeplitz, Σ circulant(gᵢ) skew-circulant(hᵢ), or P ⊗ Q",
    parameters="n = max(out, in) for circulant and Toeplitz, 2 k n for k products, out₁ in₁ + out₂ in₂ for Kronecker",
    adapts="The few numbers that fill a structured matrix are trained; its rank may be full from the start.",
    fixed="The structure is chosen once and is the same for every matrix; n, and with it the size, is the layer's.",
    choose="Where fewer parameters than LoRA of rank 1 must do, or where the change is not thought to be of low rank.",
    avoid="Where the change sits in few directions, which a product of low rank holds exactly; and where the order of "
    "features must not matter: circulant and Toeplitz tie together entries along diagonals.",
    paper="Structured Unrestricted-Rank Matrices for Parameter Efficient Fine-tuning",
    source="https://arxiv.org/abs/2406.17740",
    notes=(
        "A layer that is not square takes the leading corner of a square structured matrix of its larger side.",
        "α/√in makes the first step of dW about as long as LoRA's.",
    ),
)
