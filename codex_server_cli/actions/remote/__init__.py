"""Remote control of the shared app-server: switching it on and off, its state, and the paired devices."""
