"""PURE: bytes in, decisions out. Nothing in this folder opens a file, starts a process or reads a clock."""
