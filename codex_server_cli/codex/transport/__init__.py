"""The byte stream between us and an app-server, and its end. Knows no message."""
