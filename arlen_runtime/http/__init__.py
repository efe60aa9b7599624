"""HTTP/1.1: bytes to values and back. No sockets, no clock."""
