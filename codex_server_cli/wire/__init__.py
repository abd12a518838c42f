"""TRANSPORTS: how bytes reach an app-server and come back. What the bytes mean is `core`'s business."""
