"""A turn on an app-server that other clients use, too, and that outlives the turn's connection."""
