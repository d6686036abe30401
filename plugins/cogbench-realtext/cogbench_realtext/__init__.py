"""Real, labelled text from wheels of the package index: tasks and a suite of them."""
