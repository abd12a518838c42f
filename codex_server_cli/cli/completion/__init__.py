"""What a shell completes a line with, at TAB. Must never import typer, start codex, wait, or write to stderr."""
