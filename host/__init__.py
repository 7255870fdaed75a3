"""The centre: enrolment and the terminals' services, the books, the fleet, the operations console.

``guichet-host`` (:mod:`host.cli`) is the way in; :mod:`host.assembly` puts the parts together.
"""
