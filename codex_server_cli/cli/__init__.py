"""The command-line interface: parse, call one action, render its result, exit. One file per group of verbs."""
