"""PURE: frozen views in, text out. Nothing in this folder prints, reads files or knows a command line."""
