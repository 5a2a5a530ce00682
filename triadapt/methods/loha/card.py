"""LoHa at a glance."""

from triadapt.methods.card import Card

CARD = Card(
    formula="dW = s (B₁ A₁) ⊙ (B₂ A₂)",
    parameters="2 r (in + out)",
    adapts="Four factors of every matrix, whose two products of rank r are multiplied entry by entry. Nothing changes "
    "during training but their values.",
    fixed="The frozen weight, r and the scale s.",
    choose="The change that is needed has a high rank, and twice LoRA's entries are still affordable: r² ranks come "
    "with them.",
    avoid="Steps have to be fast: dW is formed as a whole in every one of them.",
    paper="FedPara: Low-Rank Hadamard Product for Communication-Efficient Federated Learning",
    source="https://arxiv.org/abs/2108.06098",
    notes=(
        "It is PEFT's, which adapts neither Conv1D layers (GPT-2) nor weights in 4 bits, and knows no dropout on the "
        "input.",
        "r is no budget: the effective rank of dW is measured.",
    ),
)
