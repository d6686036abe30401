"""For authors of plugins: contract checks, and the in-memory parts that they run on."""
