"""Results of cells as plain files: written whole or not at all, here or under a URL."""
