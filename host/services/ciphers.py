"""The setting by which gRPC refuses TLS 1.2. It imports nothing, so that it can come before gRPC does.

gRPC has no setting for the lowest version in Python. Its cipher list, however, holds for TLS 1.2 only; the suites of
1.3 are fixed. Every certificate here is ECDSA, so a list of one RSA suite leaves a 1.2 handshake without a common one.
"""

from __future__ import annotations

import os

_SETTING = "GRPC_SSL_CIPHER_SUITES"
_NONE_THAT_FITS = "ECDHE-RSA-AES256-GCM-SHA384"


def require_tls_13() -> None:
    """To be called before ``import grpc``, which reads the setting once. :func:`host.services.tls.probe` checks."""
    os.environ[_SETTING] = _NONE_THAT_FITS
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")  # its lines are not JSON, and a refused handshake is no news
