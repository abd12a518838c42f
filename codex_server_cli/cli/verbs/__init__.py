"""One file for each group of verbs: parse, call one action, render its result, exit."""
