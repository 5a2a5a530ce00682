"""How good each method is for its price: finished runs by what makes them comparable, groups of seeds, the front."""
