"""Trained models that somebody has already: as sources of transfers, without a training."""
