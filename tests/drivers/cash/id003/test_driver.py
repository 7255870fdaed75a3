"""The driver around the machine: its options, its line, and once round over a wire in memory."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from drivers.api.cash import Cleared, Completed, Escrowed, Ready, Stacked
from drivers.api.device import DeviceConfig, DeviceState
from drivers.cash.id003.driver import open_device
from drivers.cash.id003.messages import State
from drivers.cash.id003.simulator_device import Validator
from drivers.cash.module import CashDevice
from drivers.context import DriverContext
from drivers.errors import ConfigurationError, TransportError
from drivers.registry import open_device as by_name
from drivers.simulation.notes import Place
from drivers.transport.api import ByteTransport
from tests.drivers.cash.id003.virtual import TWENTY, device
from tests.drivers.cash.standing import Standing, virtually


@virtually("id003", lambda: device(pace=0.02))
async def test_a_note_goes_all_the_way(standing: Standing[Validator]) -> None:
    standing.run()
    await standing.until(Ready)
    assert standing.driver.capabilities.names_type is False
    standing.driver.enable()
    await standing.until(Completed)
    assert standing.device.state is State.IDLING
    standing.insert(TWENTY)
    await standing.until(Escrowed)
    standing.driver.stack()
    assert (await standing.until(Stacked)).note_type is None
    assert (await standing.until(Cleared)).stacked_counter is None
    assert [note.place for note in standing.device.vault.notes] == [Place.BOX]
    assert standing.driver.status.state is DeviceState.READY
    assert standing.driver.storage.stacked is None


async def nowhere(address: str) -> ByteTransport:
    raise TransportError("cash", "absent", address)


def make(options: Mapping[str, str], address: str = "/dev/guichet/cash") -> CashDevice:
    return open_device(
        DeviceConfig("cash", "id003", address, dict(options)), DriverContext(lambda: 0.0, bytes, nowhere)
    )


def test_the_driver_is_there_by_its_name() -> None:
    config = DeviceConfig("cash", "id003", "/dev/guichet/cash")
    assert isinstance(by_name(config, DriverContext(lambda: 0.0, bytes, nowhere)), CashDevice)


@pytest.mark.parametrize(
    "options", [{"poll_ms": "4"}, {"countries": "17"}, {"countries": "17=XXX"}, {"countries": "E0=EUR,gb=p"}]
)
def test_an_option_that_is_none_is_an_error_of_the_configuration(options: Mapping[str, str]) -> None:
    with pytest.raises(ConfigurationError) as error:
        make(options)
    assert error.value.code == "bad-option"


def test_country_codes_can_be_named_by_the_configuration() -> None:
    assert isinstance(make({"countries": "17=GBP, 1A=PLN"}), CashDevice)
    assert isinstance(make({"countries": ""}), CashDevice)
