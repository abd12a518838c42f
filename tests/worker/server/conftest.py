"""A place for a shared server, as its own tests have it."""

from tests.codex.server.conftest import one_server as one_server
