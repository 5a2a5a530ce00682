"""Causal language modelling on plain text."""
