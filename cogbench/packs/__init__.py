"""Evidence packs: what estimators read of a measured oracle, as figures in one file, without data, models or text."""
