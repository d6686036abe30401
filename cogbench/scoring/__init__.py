"""How good a ranking is: metrics, ranks, scores against an oracle, chance, noise."""
