"""Tables as people have them: one verb turns an address into columns, with notes on what was guessed."""
