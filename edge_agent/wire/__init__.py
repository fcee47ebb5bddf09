"""What sites, consoles and headquarters say to each other: bytes to messages and back, no sockets."""
