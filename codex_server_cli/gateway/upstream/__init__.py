"""The way to the app-server: one connection for each consumer, what comes over it sorted by thread."""
