"""The engine and its workers: who computes the cells of a run, here, in processes of this machine, or on a cluster."""
