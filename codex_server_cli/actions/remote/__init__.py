"""Remote control of the shared app-server: switching it, its state, and the devices that are paired."""
