"""The declarations of verbs, one file for each heading of `--help`. Must never import a verb's own module."""
