"""Data types: turn, turn id, request, Codex configuration, payer, view, monitor event, timers."""
