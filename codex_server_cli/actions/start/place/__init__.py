"""Where a turn works: its worktree, and who else writes there."""
