"""What the keys of `watch` do: a pure machine, and the pages that it shows beside the board."""
