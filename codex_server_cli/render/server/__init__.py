"""App-servers for people."""
