"""Connections to the app-server: one for each consumer, its messages sorted by thread."""
