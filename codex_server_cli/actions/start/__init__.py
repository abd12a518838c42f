"""VERBS that start a turn: what was asked for, what forbids it, which thread it goes on with."""
