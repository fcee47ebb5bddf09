"""The only home of ZeroMQ: sockets, CURVE keys, links."""
