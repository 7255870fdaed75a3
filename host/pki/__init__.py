"""Trust: the host's own certificate authority, enrolment codes, terminals' certificates, the host's keys."""
