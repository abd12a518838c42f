"""Account, usage limits and models: what the wire tells of them, and the queries that ask."""
