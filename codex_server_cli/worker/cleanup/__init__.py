"""Cleaning up after a turn: processes, queued messages, the user's own program. For workers and repairers."""
