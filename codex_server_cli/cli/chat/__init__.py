"""The verb `chat`: a line editor, the turns of a thread, and inline approvals and questions."""
