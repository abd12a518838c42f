"""Cleaning up after a turn: its processes, queued messages, and the user's own program. For workers and repairers."""
