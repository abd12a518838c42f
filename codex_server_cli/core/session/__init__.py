"""The state machine of one turn: handshake, turn, closing; requests, approvals, steering, the thread's queue."""
