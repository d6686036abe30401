"""Published tables of transfers as oracles of cogbench."""
