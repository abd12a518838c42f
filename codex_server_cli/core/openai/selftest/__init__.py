"""What `serve --selftest` asks the model that is logged in, and how its answers are judged."""
