"""Bytes to messages and back: JSON lines, JSON-RPC, the event log, queries."""
