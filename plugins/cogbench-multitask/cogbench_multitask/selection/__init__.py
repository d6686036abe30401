"""Data selection: which training examples of a source serve a target."""
