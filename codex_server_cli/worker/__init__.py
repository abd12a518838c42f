"""PROCESSES: the detached worker of one turn, from its launch to its end marker."""
