"""What a configuration may say to a driver."""

from __future__ import annotations

from dataclasses import replace

import pytest

from drivers.context import DriverContext
from drivers.errors import ConfigurationError
from drivers.transport.api import ByteTransport
from tests.conformance.subject import Subject


async def no_line(address: str) -> ByteTransport:
    raise AssertionError(address)


def test_an_option_that_the_driver_does_not_have_is_refused(subject: Subject) -> None:
    """:func:`drivers.options.refuse_unknown` does it: a misspelt option must not be ignored in silence."""
    misspelt = replace(subject, options={**subject.options, "pol_ms": "50"})
    with pytest.raises(ConfigurationError) as error:
        misspelt.module(DriverContext(lambda: 0.0, bytes, no_line))
    assert error.value.code == "unknown-option"
    assert "pol_ms" in error.value.text
