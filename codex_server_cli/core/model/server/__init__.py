"""The app-server of a turn, as the user names it: its address, and what follows from it for a turn."""
