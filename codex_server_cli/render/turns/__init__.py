"""Turns for people: their state, their title, cards, lists and the board."""
