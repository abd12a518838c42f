"""PROCESSES: finding a codex, connecting to it and querying it. Knows no turn directory and no worker."""
