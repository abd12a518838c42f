"""The Responses API over Codex: its requests, its objects, and the events of its streams."""
