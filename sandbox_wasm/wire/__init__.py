"""What travels between client and server, and who may send it."""
