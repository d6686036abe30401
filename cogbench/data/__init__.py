"""What flows: data sets, recordings, oracles, and the door to disk and hub that they come through."""
