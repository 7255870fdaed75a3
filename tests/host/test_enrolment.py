"""How a terminal comes to belong here: codes, certificates, ports."""

from __future__ import annotations

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from google.protobuf import descriptor_pb2, descriptor_pool
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2
from sqlalchemy import select

from guichet.ids import TerminalId
from guichet.pin import Key
from guichet.v1 import customer_pb2, customer_pb2_grpc, enrolment_pb2, enrolment_pb2_grpc, terminal_link_pb2_grpc
from host.hsm.schema import pin_keys
from host.ledger.kinds import Ledger
from host.pki.authority import terminal_of
from host.pki.codes import WrongLedger, new_code
from host.pki.files import KeyFileError, read_secret, write_secret
from host.pki.schema import enrolment_codes
from host.services.server import Ports
from tests.host.bench import Bench
from tests.host.terminal import BenchTerminal

DEADLINE = 20.0
DESCRIPTORS = descriptor_pool.Default()
DAY_US = 86_400 * 1_000_000


async def enrol(bench: Bench, ports: Ports, code: str, csr: str) -> enrolment_pb2.EnrolResponse:
    credentials = grpc.ssl_channel_credentials(bench.host.authority.pem)
    async with grpc.aio.secure_channel(f"localhost:{ports.enrol_port}", credentials) as channel:
        request = enrolment_pb2.EnrolRequest(code=code, csr_pem=csr, description="a kiosk\nin Riga")
        return await enrolment_pb2_grpc.EnrolmentStub(channel).Enrol(request, timeout=DEADLINE)


async def refusal(bench: Bench, ports: Ports, code: str, csr: str) -> grpc.StatusCode:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await enrol(bench, ports, code, csr)
    return caught.value.code()


async def test_a_good_code_gives_a_certificate_an_epoch_and_the_host_s_keys(bench: Bench, ports: Ports) -> None:
    terminal = BenchTerminal(TerminalId("T-1"))
    response = await enrol(bench, ports, bench.code("T-1"), terminal.csr())
    certificate = x509.load_pem_x509_certificate(response.certificate_pem.encode())
    (name,) = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    assert name.value == response.terminal_id == terminal_of(certificate) == "T-1"
    assert certificate.public_key() == terminal.key.public_key()
    assert (response.epoch, response.training) == (1, True)
    assert response.host_sealing_key == bench.host.keys.sealing_public
    assert response.host_signing_key == bench.host.keys.signer.public_key()
    assert bench.host.module.initial_key(response.pin_key_id) == Key(response.pin_initial_key).value


async def test_a_certificate_works_on_a_terminal_whose_clock_is_hours_behind(bench: Bench) -> None:
    certificate = x509.load_pem_x509_certificate(bench.enrol("T-1").certificate)
    begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    now_us = bench.clock.now_us
    assert begin.timestamp() * 1_000_000 <= now_us - 23 * 3600 * 1_000_000
    assert (end - begin).days == 31


async def test_a_code_is_forgiving_about_how_it_was_typed_but_works_once(bench: Bench, ports: Ports) -> None:
    code, terminal = bench.code("T-1"), BenchTerminal(TerminalId("T-1"))
    typed = code.lower().replace("-", " ").replace("0", "o").replace("1", "l")
    assert (await enrol(bench, ports, typed, terminal.csr())).terminal_id == "T-1"
    assert await refusal(bench, ports, code, terminal.csr()) is grpc.StatusCode.PERMISSION_DENIED


async def test_a_code_that_is_a_day_old_or_unknown_is_refused_alike(bench: Bench, ports: Ports) -> None:
    code, terminal = bench.code("T-1"), BenchTerminal(TerminalId("T-1"))
    bench.clock.now_us += DAY_US
    assert await refusal(bench, ports, code, terminal.csr()) is grpc.StatusCode.PERMISSION_DENIED
    assert await refusal(bench, ports, "AAAA-BBBB", terminal.csr()) is grpc.StatusCode.PERMISSION_DENIED


async def test_a_bad_request_leaves_the_code_unused(bench: Bench, ports: Ports) -> None:
    code, terminal = bench.code("T-1"), BenchTerminal(TerminalId("T-1"))
    other_curve = terminal.csr(ec.generate_private_key(ec.SECP384R1()))
    for csr in ("", "nonsense", other_curve, "x" * 9_000):
        assert await refusal(bench, ports, code, csr) is grpc.StatusCode.INVALID_ARGUMENT
    assert (await enrol(bench, ports, code, terminal.csr())).terminal_id == "T-1"


async def test_guessing_codes_is_slowed_down_until_ten_minutes_have_passed(bench: Bench, ports: Ports) -> None:
    code, terminal = bench.code("T-1"), BenchTerminal(TerminalId("T-1"))
    for number in range(10):
        assert await refusal(bench, ports, f"GUESS-{number}", terminal.csr()) is grpc.StatusCode.PERMISSION_DENIED
    assert await refusal(bench, ports, code, terminal.csr()) is grpc.StatusCode.RESOURCE_EXHAUSTED
    bench.clock.now_us += 600 * 1_000_000
    assert (await enrol(bench, ports, code, terminal.csr())).terminal_id == "T-1"


def test_a_code_is_not_in_the_database(bench: Bench) -> None:
    code = bench.code("T-1")
    with bench.engine.begin() as connection:
        (row,) = connection.execute(select(enrolment_codes)).all()
    assert all(part not in str(row) for part in code.split("-"))


def test_a_terminal_does_not_change_its_ledger(bench: Bench) -> None:
    bench.enrol("T-1", Ledger.TRAINING)
    with pytest.raises(WrongLedger), bench.engine.begin() as connection:
        new_code(connection, TerminalId("T-1"), Ledger.LIVE, bench.host.seams.random, bench.clock.now_us)


def test_a_new_disk_gets_a_new_epoch_and_the_old_certificate_is_out(bench: Bench) -> None:
    assert [bench.enrol("T-1").epoch for _ in range(3)] == [1, 2, 3]


def test_a_live_terminal_gets_no_pin_key(bench: Bench) -> None:
    assert bench.enrol("T-1", Ledger.LIVE).pad is None
    with bench.engine.begin() as connection:
        assert connection.execute(select(pin_keys)).all() == []


async def test_the_terminals_port_takes_only_our_own_certificates(bench: Bench, ports: Ports) -> None:
    own, stranger = bench.enrol("T-1"), BenchTerminal(TerminalId("T-1"))
    for credentials in (grpc.ssl_channel_credentials(own.authority), None):
        if credentials is None:
            stranger.certificate, stranger.authority = own.certificate, own.authority
            credentials = stranger.credentials()  # somebody else's certificate, without its key
        async with grpc.aio.secure_channel(f"localhost:{ports.port}", credentials) as channel:
            stub = customer_pb2_grpc.CustomerQueriesStub(channel)
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await stub.GetBalance(customer_pb2.GetBalanceRequest(), timeout=5)
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_a_superseded_certificate_opens_no_session(bench: Bench, ports: Ports) -> None:
    old = bench.enrol("T-1")
    bench.enrol("T-1")
    async with grpc.aio.secure_channel(f"localhost:{ports.port}", old.credentials()) as channel:
        call = terminal_link_pb2_grpc.TerminalLinkStub(channel).Connect(timeout=DEADLINE)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call.read()  # Nothing need be said first; and what is said to a call that has ended fails otherwise.
    assert caught.value.code() is grpc.StatusCode.PERMISSION_DENIED


async def test_health_is_served_on_both_ports(bench: Bench, ports: Ports) -> None:
    terminal = bench.enrol("T-1")
    for port, credentials, service in (
        (ports.port, terminal.credentials(), "guichet.v1.TerminalLink"),
        (ports.enrol_port, grpc.ssl_channel_credentials(terminal.authority), "guichet.v1.Enrolment"),
    ):
        async with grpc.aio.secure_channel(f"localhost:{port}", credentials) as channel:
            check = channel.unary_unary(
                "/grpc.health.v1.Health/Check",
                request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
                response_deserializer=health_pb2.HealthCheckResponse.FromString,
            )
            response = await check(health_pb2.HealthCheckRequest(service=service), timeout=DEADLINE)
        assert response.status == health_pb2.HealthCheckResponse.SERVING


async def reflected(
    channel: grpc.aio.Channel, *requests: reflection_pb2.ServerReflectionRequest
) -> list[reflection_pb2.ServerReflectionResponse]:
    ask = channel.stream_stream(
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
        request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
        response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
    )
    return [response async for response in ask(iter(requests), timeout=DEADLINE)]


STANDARD = {"grpc.health.v1.Health", "grpc.reflection.v1alpha.ServerReflection"}
LIST = reflection_pb2.ServerReflectionRequest(list_services="")


async def test_reflection_names_on_each_port_the_services_that_are_served_there(bench: Bench, ports: Ports) -> None:
    terminal = bench.enrol("T-1")
    on_terminals = {
        "guichet.v1.TerminalLink",
        "guichet.v1.CustomerQueries",
        "guichet.v1.Journals",
        "guichet.v1.Deposits",
    }
    on_enrolment = {"guichet.v1.Enrolment", "guichet.v1.Deposits"}
    for port, credentials, own, others in (
        (ports.port, terminal.credentials(), on_terminals, on_enrolment - on_terminals),
        (ports.enrol_port, grpc.ssl_channel_credentials(terminal.authority), on_enrolment, on_terminals - on_enrolment),
    ):
        async with grpc.aio.secure_channel(f"localhost:{port}", credentials) as channel:
            (listed,) = await reflected(channel, LIST)
            assert {service.name for service in listed.list_services_response.service} == own | STANDARD
            for name in own | others:
                assert await is_served(channel, name) is (name in own), name


async def is_served(channel: grpc.aio.Channel, service: str) -> bool:
    """Whether the first method of ``service`` is known there: asked with bytes that are no request of it."""
    method = DESCRIPTORS.FindServiceByName(service).methods[0].name
    call = channel.stream_stream(f"/{service}/{method}", request_serializer=bytes, response_deserializer=bytes)(
        iter([b"\xff"]), timeout=DEADLINE
    )
    return await call.code() is not grpc.StatusCode.UNIMPLEMENTED


async def test_reflection_gives_a_tool_what_it_needs_to_call_a_service(bench: Bench, ports: Ports) -> None:
    terminal = bench.enrol("T-1")
    request = reflection_pb2.ServerReflectionRequest(file_containing_symbol="guichet.v1.TerminalLink")
    async with grpc.aio.secure_channel(f"localhost:{ports.port}", terminal.credentials()) as channel:
        (found,) = await reflected(channel, request)
    files = [
        descriptor_pb2.FileDescriptorProto.FromString(data)
        for data in found.file_descriptor_response.file_descriptor_proto
    ]
    (described,) = [file for file in files if file.name == "guichet/v1/terminal_link.proto"]
    methods = {service.name: [method.name for method in service.method] for service in described.service}
    assert methods["TerminalLink"] == ["Connect"]


def test_a_key_that_others_may_read_is_not_used(bench: Bench, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("keys") / "a.key"
    write_secret(path, b"secret")
    assert read_secret(path) == b"secret"
    with pytest.raises(FileExistsError):
        write_secret(path, b"other")
    path.chmod(0o640)
    with pytest.raises(KeyFileError, match="others may read"):
        read_secret(path)


def test_the_server_s_certificate_follows_the_names_and_the_clock(bench: Bench) -> None:
    authority, now_us = bench.host.authority, bench.clock.now_us
    _, first = authority.server_credentials(("localhost", "127.0.0.1"), now_us)
    assert authority.server_credentials(("localhost", "127.0.0.1"), now_us + DAY_US)[1] == first
    _, named = authority.server_credentials(("bank.example", "127.0.0.1"), now_us)
    assert named != first
    assert authority.server_credentials(("bank.example", "127.0.0.1"), now_us + 380 * DAY_US)[1] != named
    authority.server_credentials(("localhost", "127.0.0.1"), now_us)
