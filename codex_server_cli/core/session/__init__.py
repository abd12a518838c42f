"""The one-turn machine: handshake, turn, closing; requests, approvals, steering, the queue of the thread."""
