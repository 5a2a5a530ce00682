"""The schedule lab: its inputs, what speaks against them, and what to take away."""
