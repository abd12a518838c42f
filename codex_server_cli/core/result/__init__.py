"""What an end means: outcome, failures, hints and the next step."""
