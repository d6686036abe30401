"""Learning tasks together, for cogbench: a target task and auxiliary tasks in one training."""
