"""FILES: the turn directory, its lock and its readers, and Codex's session files. No process starts here."""
