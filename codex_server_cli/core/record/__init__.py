"""What the messages of a turn prove: its facts, its answer, its text; live and replayed."""
