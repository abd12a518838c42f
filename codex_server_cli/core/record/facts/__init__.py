"""The facts of a turn, apart from the messages that prove them."""
