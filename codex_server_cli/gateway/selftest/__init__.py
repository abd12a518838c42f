"""`serve --selftest`: a gateway sends requests to itself, and reports what a real backend does."""
