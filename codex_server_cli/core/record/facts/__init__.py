"""The facts of a turn, separate from the messages that prove them."""
