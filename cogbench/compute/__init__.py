"""Cells, the units of work and of caching: their keys, their engine, and what estimators read of them."""
