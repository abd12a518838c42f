"""Deleting old turns: which ones, and when a collection is due."""
