"""Deleting old turns: what, and when it is due."""
