"""What owns a part of the terminal: spinner, full screen, board; and leaving the terminal as it was."""
