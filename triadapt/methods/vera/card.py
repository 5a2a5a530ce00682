"""VeRA at a glance."""

from triadapt.methods.card import Card

CARD = Card(
    formula="dW = diag(b) B diag(d) A",
    parameters="out + r, with r its own rank: 256, unless vera.rank says otherwise, whatever the budget is",
    adapts="The vectors b (out) and d (r) of every matrix. Nothing changes during training but their values.",
    fixed="The frozen weight, and A (r × in) and B (out × r): drawn once from the seed, never trained, shared by all "
    "matrices, which take the corner they need.",
    choose="Many adapters have to be stored or served at once, and each may only take a few numbers a matrix.",
    avoid="Memory and time of training matter more than the size of the file: A and B are wide, and every step goes "
    "through them.",
    paper="VeRA: Vector-based Random Matrix Adaptation",
    source="https://arxiv.org/abs/2310.11454",
    notes=(
        "It is PEFT's. A and B are saved with the adapter, so that loading needs no seed.",
        "Its scale is 1; alpha has no part in it. Its rank is no budget, so the effective rank of dW is measured.",
    ),
)
