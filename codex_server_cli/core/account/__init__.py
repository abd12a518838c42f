"""Account, usage limits and models: what the wire reports, and the queries for it."""
