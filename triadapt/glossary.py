"""The words of the field as this package uses them: one source for the learn page and the documents.

Free of Streamlit and torch. Shapes are those of the code: a frozen weight is `(out, in)`, r a rank, n the number of
target matrices.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from triadapt import page_names

PAPERS = {
    "lora": ("LoRA", "https://arxiv.org/abs/2106.09685"),
    "adalora": ("AdaLoRA", "https://arxiv.org/abs/2303.10512"),
    "increlora": ("IncreLoRA", "https://arxiv.org/abs/2308.12043"),
    "triadaptlora": ("TriAdaptLoRA", "https://arxiv.org/abs/2501.08008"),
}
"""Short name and address of each paper."""
PAGES = {page.file: (page.title, page.address) for page in page_names.PAGES.values() if page.played}
"""Name and address of each page that a term leads to."""


@dataclass(frozen=True)
class Term:
    """One term. slug: its name in an address. symbol, shape (or unit): empty where there is none. page, query: where in
    the app it can be played with, and with what in the address. lesson: slug of the lesson that explains it
    (`lessons/registry.py`), or empty. paper: key of `PAPERS`, or empty."""

    slug: str
    term: str
    meaning: str
    symbol: str = ""
    shape: str = ""
    page: str = "pages/play.py"
    query: Mapping[str, str] = field(default_factory=dict)
    lesson: str = ""
    paper: str = ""

    @property
    def address(self) -> str:
        """Where it can be played with, from the root of the app."""
        place = PAGES[self.page][1]
        return f"{place}?{urlencode(self.query)}" if self.query else place


TERMS = {
    term.slug: term
    for term in (
        Term(
            "weight-matrix", "Weight matrix",
            "The numbers of a linear layer; it stays frozen while an adapter trains.",
            symbol="W", shape="(out, in)", lesson="low-rank",
        ),
        Term(
            "delta-w", "dW",
            "What training adds to a weight matrix: the layer computes (W + dW) x.",
            symbol="dW", shape="(out, in)", lesson="low-rank",
        ),
        Term(
            "rank", "Rank",
            "How many directions the adapter of a matrix may use: rows of A and columns of B that are in use.",
            symbol="r", shape="whole number", lesson="low-rank",
        ),
        Term(
            "low-rank", "Low rank",
            "A rank far below both sides of the matrix, so that r (in + out) numbers stand for out x in.",
            query={"planted.width": "128"}, lesson="low-rank", paper="lora",
        ),
        Term(
            "piece", "Piece",
            "One column times one row, also called a direction: a matrix of rank r is a sum of r of them.",
            symbol="u vᵀ", shape="(out, in)", lesson="low-rank",
        ),
        Term(
            "singular-value", "Singular value",
            "How much one rank-1 piece of a matrix weighs; dW has at most as many above zero as its rank.",
            symbol="σ", shape="numbers, falling", lesson="low-rank",
        ),
        Term(
            "loss", "Loss",
            "How wrong the network is on a batch, as a number that training lowers.", lesson="lora",
        ),
        Term(
            "gradient", "Gradient",
            "How much the loss would change with a number, for every number that is trained.", symbol="g",
            shape="as what is trained", lesson="lora",
        ),
        Term(
            "lora", "LoRA",
            "An adapter that gives every target matrix the same rank from start to end.",
            symbol="dW = s B A", query={"method": "lora"}, lesson="lora", paper="lora",
        ),
        Term(
            "a", "A",
            "The factor that takes the input of a layer down to r numbers.",
            symbol="A", shape="(r, in)", lesson="lora", paper="lora",
        ),
        Term(
            "b", "B",
            "The factor that takes r numbers up to the output of a layer.",
            symbol="B", shape="(out, r)", lesson="lora", paper="lora",
        ),
        Term(
            "alpha", "Alpha",
            "What the scale is made of: it is divided by the reference rank.",
            symbol="α", shape="number", query={"alpha": "16"}, lesson="lora", paper="lora",
        ),
        Term(
            "scale", "Scale",
            "What dW is multiplied by, alpha over the reference rank; it stays the same while rank changes, "
            "unless a setting asks for the current rank as the authors' code has it.",
            symbol="s", shape="number", query={"alpha": "16"}, lesson="lora", paper="lora",
        ),
        Term(
            "adapter", "Adapter",
            "The small parts that train beside the frozen weights of a model.",
            lesson="lora",
        ),
        Term(
            "target-matrix", "Target matrix",
            "A weight matrix that gets an adapter; there are n of them.",
            symbol="n", shape="count", query={"planted.blocks": "6"}, lesson="lora",
        ),
        Term(
            "peft", "PEFT",
            "The library that puts adapters into models; LoRA and AdaLoRA are its own, TriAdaptLoRA and IncreLoRA "
            "are added to it here.",
            page="pages/tune.py", lesson="lora",
        ),
        Term(
            "triadaptlora", "TriAdaptLoRA",
            "Grows the matrices whose importance reaches a threshold that changes over training.",
            symbol="dW = s B (L + U) A", query={"method": "triadaptlora"}, lesson="triangular", paper="triadaptlora",
        ),
        Term(
            "l", "L",
            "The part of the transformation matrix in and below its diagonal blocks.",
            symbol="L", shape="(r, r)", query={"method": "triadaptlora"}, lesson="triangular", paper="triadaptlora",
        ),
        Term(
            "u", "U",
            "The part of the transformation matrix in and above its diagonal blocks.",
            symbol="U", shape="(r, r)", query={"method": "triadaptlora"}, lesson="triangular", paper="triadaptlora",
        ),
        Term(
            "triangular-split", "Triangular split",
            "Keeping the transformation matrix as L and U, so that growth adds rows to L and columns to U and "
            "leaves what was learned in its place.",
            symbol="L + U", shape="(r, r)", query={"method": "triadaptlora"}, lesson="triangular",
            paper="triadaptlora",
        ),
        Term(
            "block", "Block",
            "What a matrix gains when it grows: rows of A and L, columns of B and U; its diagonal part stands in "
            "L and in U.",
            symbol="m blocks", shape="count", query={"method": "triadaptlora", "add_r": "2"}, lesson="triangular",
            paper="triadaptlora",
        ),
        Term(
            "transformation-matrix", "Transformation matrix",
            "What stands between B and A in TriAdaptLoRA.",
            symbol="L + U", shape="(r, r)", query={"method": "triadaptlora"}, lesson="triangular",
            paper="triadaptlora",
        ),
        Term(
            "importance", "Importance",
            "The score that decides at an event: of TriAdaptLoRA the rise of the normalised Frobenius norm since "
            "the last event, of IncreLoRA an average of |dW G| times its uncertainty; AdaLoRA scores triplets, "
            "and a matrix is the sum of those it keeps.",
            symbol="I", shape="a number a matrix", lesson="importance", paper="triadaptlora",
        ),
        Term(
            "normalised-norm", "Normalised Frobenius norm",
            "The root of the sum of squares of L + U, over the number of blocks so far.",
            symbol="‖L + U‖ / m", shape="number", query={"method": "triadaptlora"}, lesson="importance",
            paper="triadaptlora",
        ),
        Term(
            "threshold", "Threshold",
            "The importance that has to be reached at an event: the h-th largest among the matrices that can "
            "still grow, where h may.",
            shape="an importance", query={"method": "triadaptlora"}, lesson="threshold", paper="triadaptlora",
        ),
        Term(
            "linear", "Linear threshold",
            "How many matrices may grow at an event: the gap times p over the ranks a growth, where p is the "
            "share of the steps after the warm-up that are over; at least one, at most all.",
            symbol="h = gap · p", shape="matrices an event", page="pages/tune.py",
            query={"growth": "linear", "method": "triadaptlora"}, lesson="threshold", paper="triadaptlora",
        ),
        Term(
            "non-linear", "Non-linear threshold",
            "How many matrices may grow at an event: the gap to the power of p over the ranks a growth, so few at "
            "first; at least one, at most all.",
            symbol="h = gap^p", shape="matrices an event", page="pages/tune.py",
            query={"growth": "non-linear", "method": "triadaptlora"}, lesson="threshold", paper="triadaptlora",
        ),
        Term(
            "fixed", "Fixed threshold",
            "The same number of matrices may grow at every event: top h.",
            symbol="h = top h", shape="matrices an event", page="pages/tune.py",
            query={"growth": "fixed", "method": "triadaptlora"}, lesson="threshold", paper="triadaptlora",
        ),
        Term(
            "top-h", "Top h",
            "How many matrices may grow at an event: of IncreLoRA always, of TriAdaptLoRA in fixed mode.",
            symbol="top_h", shape="matrices an event", query={"top_h": "4"}, lesson="threshold", paper="increlora",
        ),
        Term(
            "add-r", "Ranks a growth",
            "How many ranks a matrix gains when it grows; fewer where the budget or its size leaves no more.",
            symbol="add_r", shape="ranks", query={"add_r": "2"}, lesson="triangular", paper="triadaptlora",
        ),
        Term(
            "reference-rank", "Reference rank",
            "The budget a matrix: the average rank that the target asks for.",
            symbol="reference_rank", shape="ranks a matrix", query={"reference_rank": "4"}, lesson="triangular",
            paper="triadaptlora",
        ),
        Term(
            "total-rank", "Total rank",
            "The sum of the ranks of all target matrices.",
            shape="ranks", lesson="one-rank",
        ),
        Term(
            "target-rank", "Target rank",
            "The total rank that growing methods climb to and AdaLoRA comes down to: reference rank times n.",
            shape="ranks", page="pages/tune.py", query={"reference_rank": "4"}, lesson="one-rank",
            paper="triadaptlora",
        ),
        Term(
            "budget", "Budget",
            "How much rank may be held: at the end the target rank, for AdaLoRA before that what its schedule "
            "allows.",
            shape="ranks", query={"reference_rank": "4"}, lesson="one-rank", paper="adalora",
        ),
        Term(
            "warmup", "Warm-up",
            "The steps at the start without a rank event: none falls on a step up to and including this one.",
            symbol="warmup", shape="steps", page="pages/tune.py", query={"warmup": "100"}, lesson="wrong-warmup",
            paper="triadaptlora",
        ),
        Term(
            "interval", "Interval",
            "The steps between two rank events, which fall on its multiples.",
            symbol="interval", shape="steps", page="pages/tune.py", query={"interval": "40"},
            lesson="wrong-interval", paper="triadaptlora",
        ),
        Term(
            "rank-event", "Rank event",
            "A step at which a method compares its scores and decides who gains or loses rank.",
            shape="step", query={"interval": "40"}, lesson="threshold",
        ),
        Term(
            "gap", "Gap",
            "What is missing at an event: target rank minus total rank.",
            symbol="gap", shape="ranks", page="pages/tune.py", query={"method": "triadaptlora"}, lesson="threshold",
            paper="triadaptlora",
        ),
        Term(
            "adalora", "AdaLoRA",
            "Starts every matrix above the reference rank and prunes triplets until the budget is met.",
            symbol="dW = s B diag(E) A", query={"method": "adalora"}, lesson="prune-or-grow", paper="adalora",
        ),
        Term(
            "triplet", "Triplet",
            "A column of B, an entry of E and a row of A: one direction of AdaLoRA or IncreLoRA.",
            shape="out + 1 + in numbers", query={"method": "adalora"}, lesson="prune-or-grow", paper="adalora",
        ),
        Term(
            "e", "E",
            "The values of the triplets, which stand where singular values would.",
            symbol="E", shape="(r, 1)", query={"method": "adalora"}, lesson="prune-or-grow", paper="adalora",
        ),
        Term(
            "sensitivity", "Sensitivity",
            "How much the loss would change if a parameter p were zero, to first order; AdaLoRA multiplies its "
            "moving average by that of its uncertainty.",
            symbol="|p g|", shape="loss", query={"method": "adalora"}, lesson="prune-or-grow", paper="adalora",
        ),
        Term(
            "mask", "Pruning (mask)",
            "Setting E to zero for the triplets whose score is not above the threshold; a triplet can come back "
            "at a later event.",
            query={"method": "adalora"}, lesson="prune-or-grow", paper="adalora",
        ),
        Term(
            "tinit", "tinit",
            "The steps at the start at which AdaLoRA holds its start rank; here the warm-up.",
            symbol="tinit", shape="steps", page="pages/tune.py", query={"method": "adalora", "warmup": "100"},
            lesson="prune-or-grow", paper="adalora",
        ),
        Term(
            "tfinal", "tfinal",
            "How many steps at the end AdaLoRA's budget is fixed for, a duration and no step; here the final "
            "share of all steps.",
            symbol="tfinal", shape="steps", page="pages/tune.py",
            query={"method": "adalora", "adalora.final_share": "0.4"}, lesson="prune-or-grow", paper="adalora",
        ),
        Term(
            "delta-t", "deltaT",
            "The steps between two masks of AdaLoRA; here the interval.",
            symbol="deltaT", shape="steps", page="pages/tune.py", query={"method": "adalora", "interval": "40"},
            lesson="prune-or-grow", paper="adalora",
        ),
        Term(
            "increlora", "IncreLoRA",
            "Gives more triplets, at every event, to the top h matrices by a score of gradients.",
            symbol="dW = s B diag(E) A", query={"method": "increlora"}, lesson="prune-or-grow", paper="increlora",
        ),
        Term(
            "reserve", "Reserve (advance learning)",
            "Triplets of each matrix whose A and B train before they are granted, their value held at 1e-5; they "
            "are switched off when the target is reached.",
            shape="add_r triplets a matrix", query={"method": "increlora"}, lesson="prune-or-grow",
            paper="increlora",
        ),
        Term(
            "orthogonality", "Orthogonality term",
            "What AdaLoRA and IncreLoRA add to the training loss, so that triplets do not repeat each other: the "
            "mean of both norms over all matrices, by default times 0.1.",
            symbol="‖A A' − I‖, ‖B' B − I‖", shape="loss", query={"method": "adalora"}, lesson="prune-or-grow",
            paper="adalora",
        ),
        Term(
            "planted-task", "Planted task",
            "A task whose answer is known: a teacher differs from a frozen model by changes of low rank on a few "
            "matrices, and the adapters have to find them.",
            query={"task": "planted"}, lesson="one-rank",
        ),
        Term(
            "planted-rank", "Planted rank",
            "The rank of the change of a matrix in the teacher, 0 where there is none.",
            shape="ranks", query={"planted.planted_rank": "4"}, lesson="one-rank",
        ),
        Term(
            "oracle", "Oracle",
            "LoRA that is told where rank is needed, to hold methods against that have to find out; planted task only.",
            query={"method": "lora", "lora.where": "planted"}, lesson="one-rank",
        ),
        Term(
            "recovery", "Recovery (coverage)",
            "The share of the planted rank that the adapters cover: over all matrices, the smaller of rank and "
            "planted rank, over what is planted.",
            shape="0 to 1", query={"run": "healthy-race"}, lesson="capstone",
        ),
        Term(
            "share-on-planted", "Share on planted",
            "The share of the grown rank that sits on planted matrices; where nothing grew, of the rank held.",
            shape="0 to 1", query={"run": "healthy-race"}, lesson="capstone",
        ),
        Term(
            "relative-loss", "Relative loss",
            "Held-out loss of the planted task over that of the model without an adapter: 1 at the start, 0 when "
            "the teacher is met.",
            shape="number", query={"run": "healthy-race"}, lesson="capstone",
        ),
        Term(
            "effective-rank", "Effective rank",
            "How many singular values of dW carry 99 % of the sum of their squares; used, on the rank maps.",
            shape="ranks", query={"run": "healthy-race"}, lesson="low-rank",
        ),
        Term(
            "pareto-front", "Pareto front",
            "The results that no other beats: none is at least as good for no more of the price and better in one of "
            "the two.",
            page="pages/methods.py", query={"against": "memory"},
        ),
        Term(
            "step-time", "Step time",
            "How long an optimizer step takes on the machine that trains, as the median over the last steps.",
            shape="seconds", page="pages/methods.py", query={"against": "time"},
        ),
        Term(
            "race", "Race",
            "Several methods on the same task with the same data in the same order, seed and budget.",
            lesson="capstone",
        ),
        Term(
            "lockstep", "Lockstep",
            "How a race is run: every run takes step t before any takes step t + 1.",
        ),
        Term(
            "seed", "Seed",
            "The number that data order, start values and what is planted are drawn from.",
            shape="whole number", query={"seed": "3"}, lesson="capstone",
        ),
        Term(
            "checkpoint", "Checkpoint",
            "All that a run needs to go on from a step: weights, optimizer and the state of its method.",
            page="pages/runs.py",
        ),
        Term(
            "branch", "Branch",
            "A new run that goes on from a checkpoint of another with other settings.",
            page="pages/runs.py",
        ),
        Term(
            "study", "Study",
            "Many runs over a range of settings, each setting with several seeds.",
            page="pages/tune.py", query={"tab": "Studies"}, lesson="capstone",
        ),
    )
}  # fmt: skip
"""All terms by their slug, in the order in which they build on each other."""


def glossary_table() -> list[dict[str, Any]]:
    """One row a term, as plain data: slug, term, symbol, meaning, shape, page and query, address, lesson, and paper as
    name and address; an empty text where there is nothing."""
    rows = []
    for term in TERMS.values():
        name, link = PAPERS.get(term.paper, ("", ""))
        rows.append({
            "slug": term.slug, "term": term.term, "symbol": term.symbol, "meaning": term.meaning, "shape": term.shape,
            "page": term.page, "query": dict(term.query), "address": term.address, "lesson": term.lesson,
            "paper": name, "paper_url": link,
        })  # fmt: skip
    return rows


def glossary_markdown() -> str:
    """The glossary as a page of Markdown: a heading and a table, each term an anchor of its slug."""
    lines = ["# Glossary", "", "| Term | Symbol | Meaning | Shape or unit | Paper |", "|---|---|---|---|---|"]
    for row in glossary_table():
        paper = f"[{row['paper']}]({row['paper_url']})" if row["paper"] else ""
        symbol = f"`{_cell(row['symbol'])}`" if row["symbol"] else ""
        name = f'<a id="{row["slug"]}"></a>{_cell(row["term"])}'
        lines.append(f"| {name} | {symbol} | {_cell(row['meaning'])} | {_cell(row['shape'])} | {paper} |")
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    """Text in a cell of a Markdown table, where a bar would begin the next one."""
    return text.replace("|", "\\|")
