"""The page on which visitors bring their own model and data."""
