"""The server: fair queues between a socket and a pool."""
