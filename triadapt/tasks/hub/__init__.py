"""Labelled texts from a dataset of the Hugging Face hub."""
