"""codex-server: OpenAI Codex turns that never make a shell wait. The version lives here, once."""

__version__ = "0.4.0"
