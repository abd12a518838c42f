"""Our process above one generation of the shared app-server. Nothing in here imports more than it must."""
