"""How a turn ends, whatever ends it."""
