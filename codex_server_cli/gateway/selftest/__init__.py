"""`serve --selftest`: a gateway that asks itself, and says what a real backend does."""
