"""VERBS that reach into a turn: cancel, steer, approve, recover."""
