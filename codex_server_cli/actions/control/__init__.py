"""VERBS that act on a turn: cancel, steer, approve, recover."""
