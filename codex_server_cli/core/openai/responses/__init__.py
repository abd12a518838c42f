"""The Responses API over Codex: what its bodies ask for, its objects, and the events of its streams."""
