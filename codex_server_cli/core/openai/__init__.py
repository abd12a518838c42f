"""Chat completions and responses ↔ Codex's items, streams and errors, for the gateway."""
