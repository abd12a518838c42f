"""The parent process of one generation of the shared app-server. Imports as little as possible."""
