"""What a turn leaves behind: processes, queued messages, the user's own program. For workers and repairers."""
