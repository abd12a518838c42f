"""The shared app-server: its key, its state on disk, our process above it, and how a client comes to it."""
