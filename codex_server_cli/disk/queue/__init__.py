"""The queue of turns that wait for a slot, and the locks of threads."""
