"""What the messages of a turn establish: its facts, its answer, its text; live and replayed."""
