"""The key bindings of `watch`: a pure state machine, and the pages that it shows besides the board."""
