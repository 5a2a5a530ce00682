"""What the browser needs to draw the lessons of the learn page."""
