"""The terminals' services over gRPC. Each is thin: it reads a message, runs a store operation, writes a message.

Importing this package sets what gRPC reads once, when it is imported itself: see :mod:`host.services.tls`.
"""

from host.services.ciphers import require_tls_13

require_tls_13()
