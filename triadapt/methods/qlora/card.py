"""QLoRA at a glance."""

from triadapt.methods.card import Card

CARD = Card(
    formula="W + dW = Q(W) + s B A, with Q(W) the weight in 4 bits",
    parameters="r (in + out)",
    adapts="A and B of every matrix, as LoRA does. Nothing changes during training but their values.",
    fixed="The frozen weight, which is rounded to 4 bits before training and turned back into numbers in every step; "
    "the rank, the same for every matrix, and the scale s.",
    choose="The frozen weights do not fit into memory: a matrix takes an eighth of what it takes in float32.",
    avoid="Memory is no concern: rounding changes the model before training begins, and steps take longer.",
    paper="QLoRA: Efficient Finetuning of Quantized LLMs",
    source="https://arxiv.org/abs/2305.14314",
    notes=(
        "Rounded are the matrices that are adapted, on any task. Every other method can train over weights in 4 bits, "
        "too, on a pretrained model that is loaded that way.",
        "On some CPUs bitsandbytes reads rounded weights right only where the inputs of a matrix are a multiple of 64; "
        "others are refused there.",
        "It needs bitsandbytes, the extra four-bit. Its paged optimizer is not used.",
    ),
)
