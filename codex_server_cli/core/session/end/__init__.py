"""The end of a turn, for every cause."""
