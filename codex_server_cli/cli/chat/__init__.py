"""The verb `chat`: a line editor, the turns of a thread, and what Codex asks in between."""
