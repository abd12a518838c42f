"""Where a turn works: its worktree, its server, and other turns that write there."""
