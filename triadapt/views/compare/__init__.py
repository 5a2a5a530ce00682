"""Runs side by side: what a comparison needs of each, and what it makes of several. Free of Streamlit and torch."""
