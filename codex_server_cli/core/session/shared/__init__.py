"""A turn on an app-server that others use as well, and that lives on without the turn's connection."""
