"""The bridge: the app-server's own protocol over HTTP and WebSocket, for clients that share one app-server."""
