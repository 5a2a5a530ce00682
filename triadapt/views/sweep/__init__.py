"""What is drawn and said of studies."""
