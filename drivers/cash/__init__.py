"""Cash modules, one folder a protocol, the same five rooms in each."""
