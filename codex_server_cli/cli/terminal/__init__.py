"""Drawing on the terminal: spinner, full screen, board; and restoring the terminal afterwards."""
