"""PROCESSES: finding codex, launching the worker, being the worker, and leaving nothing behind."""
