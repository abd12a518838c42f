"""The scripted model: the Responses API on loopback, for the `demo` verb and for the tests."""
