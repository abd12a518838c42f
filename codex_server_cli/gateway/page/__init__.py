"""The page of `serve` for browsers: its files, its sessions, and the figures that it draws."""
