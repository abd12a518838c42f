"""`doctor`: checks everything that a turn needs."""
