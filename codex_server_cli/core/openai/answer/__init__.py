"""The parts of the machine that makes a chat answer (`chat_run`): each reads one kind of messages, or filters text."""
