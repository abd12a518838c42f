"""One turn directory: its layout, its only writer, its readers, and the repair after a worker's death."""
