"""Turns over HTTP: the same directories as the command line's."""
