"""VERBS that read turns: once, until something happens, or for hours. They write nothing."""
