"""Text classification on tables of the user's own."""
