"""The parts of `chat_run`'s state machine: each reads one kind of message, or filters text."""
