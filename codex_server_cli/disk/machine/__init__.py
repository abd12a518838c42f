"""What this machine is like: what ends our workers, what a file system can do, what Codex itself takes of it."""
