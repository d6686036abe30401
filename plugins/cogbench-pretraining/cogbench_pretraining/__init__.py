"""Adaptive pre-training, for cogbench: a model is trained on texts of a domain before it learns tasks."""
