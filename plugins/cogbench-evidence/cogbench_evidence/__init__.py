"""Evidence packs that come with cogbench."""
