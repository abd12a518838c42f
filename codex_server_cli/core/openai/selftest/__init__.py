"""What `serve --selftest` asks the model, and how its answers are checked."""
