"""Facts about this machine: what ends our workers, what a file system can do, how much space Codex itself takes."""
