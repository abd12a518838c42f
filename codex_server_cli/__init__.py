"""codex-server: OpenAI Codex turns that never make a shell wait. The only place that holds the version."""

__version__ = "0.4.0"

TURN_VARIABLE = "CODEX_SERVER_TURN_ID"
"""Marks every process of a turn, so that none outlives it; also tells us that we run inside a turn."""
