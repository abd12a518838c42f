"""Recovering a turn's messages after a reconnection to a running app-server."""
