"""Result files, anybody's guesses, comparisons and leaderboards."""
