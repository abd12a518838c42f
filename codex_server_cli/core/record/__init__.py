"""What follows from the messages of a turn: its facts, its answer, its text; live and replayed."""
