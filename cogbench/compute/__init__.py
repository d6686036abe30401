"""Cells: the units of work, of caching and of spreading; what estimators read from them; and the engine that runs them."""
