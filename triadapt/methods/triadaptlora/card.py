"""TriAdaptLoRA at a glance."""

from triadapt.methods.card import Card

CARD = Card(
    formula="dW = s B (L + U) A",
    parameters="r (in + out) + 2 Σ (size of a block × rank after it)",
    adapts="A, B, and the triangular parts L and U between them. Matrices whose importance reaches a dynamic threshold "
    "gain ranks, up to a budget.",
    fixed="The frozen weight, the scale s, the warm-up, the interval and the budget.",
    choose="You have a budget of ranks and do not know which matrices need them, and want a score that costs no "
    "gradients: one norm a matrix at each event.",
    avoid="Training is so short that few events fit between warm-up and end.",
    paper="TriAdaptLoRA: Brain-Inspired Triangular Adaptive Low-Rank Adaptation",
    source="https://arxiv.org/abs/2501.08008",
    notes=(
        "The scale is constant and growth leaves the function unchanged; the authors' choices are settings.",
        "The budget is counted in ranks and never exceeded.",
    ),
)
