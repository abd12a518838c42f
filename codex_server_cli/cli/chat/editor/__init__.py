"""The bottom of a chat's terminal: the line editor and what surrounds it."""
