"""FILES: the turn directory, its lock and readers, and Codex's session files. Must never start a process."""
