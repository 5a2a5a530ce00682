"""Tasks on labelled texts: rows with a class or a number, whatever they come from."""
