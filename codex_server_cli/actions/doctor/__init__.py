"""`doctor`: everything that a turn needs, looked at in one go."""
