"""The shared app-server: its key, its state on disk, its keeper process, and how a client connects to it."""
