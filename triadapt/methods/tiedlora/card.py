"""Tied-LoRA at a glance."""

from triadapt.methods.card import Card

CARD = Card(
    formula="dW = s diag(v) B diag(u) A, with A (r x in) and B (out x r) one pair for all matrices of the same shape, "
    "and vectors u (r) and v (out) of the matrix's own",
    parameters="r (in + out) for each distinct shape, and out + r for each matrix; what is frozen does not count",
    adapts="Any of v, B, u, A is trained, from the first step to the last; the rank never changes.",
    fixed="The rank, which is the same for all matrices, and the letters that are left out: 15 choices, "
    "vBuA trains all four, vu is VeRA's choice, BA is LoRA with tied weights.",
    choose="Adapters have to be small and the model is deep, so that many matrices have the same shape: over BERT-base "
    "it has an eighth of LoRA's parameters at rank 8, and a smaller share at higher ranks.",
    avoid="Matrices need to change in directions of their own, for all of a shape read and write the same r directions "
    "up to scale; or few matrices have the same shape, so that little is saved.",
    paper="Tied-LoRA: Enhancing parameter efficiency of LoRA with Weight Tying (NAACL 2024)",
    source="https://arxiv.org/abs/2311.09578",
    notes=(
        "The paper writes all four letters and marks the frozen ones by colour; the setting names those that train.",
        "The paper adapts the fused query, key and value matrix of every block, so that all adapted matrices have one "
        "shape. Here any linear layers may be adapted and each distinct shape has a pair, so in BERT the query, key, "
        "value and output matrices of all blocks share one.",
        "dW is 0 at the start in every configuration: B starts at 0 if it is trained, else v, else A, else u.",
        "Frozen matrices are drawn with a seed and saved with the adapter all the same.",
    ),
)
