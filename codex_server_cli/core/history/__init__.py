"""Codex's own session files and stored turns, parsed."""
