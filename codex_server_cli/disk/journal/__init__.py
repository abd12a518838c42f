"""The home's journal: one line for each phase, attention and end of every turn, which monitors read."""
