"""What would have been: the decisions of a recorded run taken again under another schedule."""
