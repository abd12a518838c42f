"""The app-server of a turn, as the user names it: its address, and the consequences for a turn."""
