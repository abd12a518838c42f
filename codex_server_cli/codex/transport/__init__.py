"""How bytes come and go between us and an app-server, and how it ends. Knows no message."""
