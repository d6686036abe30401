"""Biomedical tasks: names of genes, chemicals, diseases and others in text, and questions that abstracts answer."""
