"""A turn whose connection to a living app-server was lost and made again: what it then knows, and what it cannot."""
