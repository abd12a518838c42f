"""VERBS: validate, do one thing, return a frozen result. No printing, no argv, no exit codes but those of errors."""
