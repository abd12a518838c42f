"""The page of `serve` for a browser: its files, its session, and the figures that it draws."""
