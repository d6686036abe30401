"""Built-in parts, met by the harness through entry points only."""
