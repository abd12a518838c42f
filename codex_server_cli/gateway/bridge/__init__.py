"""The bridge: the app-server's own protocol over HTTP, and named calls."""
