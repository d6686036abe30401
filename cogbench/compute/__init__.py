"""Cells, the units of work and of caching: their keys, the engine that runs them, and what estimators read from them."""
