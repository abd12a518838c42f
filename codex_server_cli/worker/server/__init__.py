"""A turn on an app-server that is not spawned for it: the connection, and what differs for the turn."""
