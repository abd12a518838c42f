"""`/v1/responses`: what is answered at once, and what runs in the background."""
