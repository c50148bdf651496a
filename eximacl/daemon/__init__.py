"""The running daemon: its sockets, its event loop, and what answers a query there."""
