"""codex-server: OpenAI Codex turns that never make a shell wait. The version lives here, once."""

__version__ = "0.4.0"

TURN_VARIABLE = "CODEX_SERVER_TURN_ID"
"""Marks every process of a turn, so that none outlives it; tells us too that we run inside one."""
