"""Oracles beside each other: what their sources gain, by numbers of examples, and how far they agree."""
