"""The lessons of the learn page: what there is, and the data of their pictures."""
