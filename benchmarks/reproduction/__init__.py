"""The parts of the reproduction page; `benchmarks/reproduce.py` puts them together."""
