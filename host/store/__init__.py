"""Where the host keeps things: tables by room, one engine, operations as synchronous functions of a connection."""
