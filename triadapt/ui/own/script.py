"""How a training script shows on the board."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

TRAINER = """from triadapt import RankRecorder

trainer.add_callback(RankRecorder())
"""
LOOP = """from triadapt import RankRecorder

with RankRecorder(model, optimizer) as recorder:
    for batch in batches:
        ...  # your loop
    recorder.evaluation(accuracy=0.91)  # whenever there is one
"""


def script_help(runs: Path) -> None:
    """The two lines, where the app looks, and what it may be started with."""
    st.markdown("Two lines in a script with a Trainer of transformers, and Play shows its ranks while it trains:")
    st.code(TRAINER, language="python")
    st.markdown("In a loop of your own it is a context manager:")
    st.code(LOOP, language="python")
    st.markdown("Start it so that it writes where this app reads:")
    st.code(f"TRIADAPT_RUNS={runs.absolute()} python your_script.py", language="bash")
    st.caption(
        "It watches TriAdaptLoRA, IncreLoRA and PEFT's AdaLoRA. The folder may be synced or mounted from another "
        "machine. "
        "`docs/own_training.md` has the rest: what is recorded, several GPUs, what it costs."
    )
