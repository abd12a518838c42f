"""VERBS that start a turn: its options, the checks, the thread to continue."""
