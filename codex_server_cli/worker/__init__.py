"""PROCESSES: the detached worker of one turn, from its launch to the marker."""
