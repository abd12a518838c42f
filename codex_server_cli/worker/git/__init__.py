"""PROCESSES: git, for the verbs that ask about a repository and for turns that change one."""
