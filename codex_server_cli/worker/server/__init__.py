"""The app-server of a turn that is not spawned for it: the way to it, and what it means for the turn."""
