"""Classes: what a teacher sets, where it is kept, who may what. Free of Streamlit and torch."""
