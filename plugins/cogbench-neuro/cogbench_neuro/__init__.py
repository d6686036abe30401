"""Recordings in the formats of neuroscience, for cogbench: each file becomes a signal, with nothing estimated."""
