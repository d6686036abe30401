"""What a user asks for, from names to results: run, recommend, measure an oracle, fetch, plan."""
