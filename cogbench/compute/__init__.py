"""Cells, the units of work and of caching: their keys, and what estimators read of them."""
