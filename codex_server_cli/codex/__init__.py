"""PROCESSES: how a codex is found, reached and asked. Knows no turn directory and no worker."""
