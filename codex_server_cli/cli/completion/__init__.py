"""Shell completion at TAB. Must never import typer, start codex, wait, or write to stderr."""
