"""VERBS that read turns: once, until something happens, or continuously. They write nothing."""
