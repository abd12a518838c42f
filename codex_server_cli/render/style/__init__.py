"""How text looks on a terminal: colours, diffs, relative times. Light: nothing here imports rich."""
