"""PROCESSES: git, for verbs that read a repository and for turns that change one."""
