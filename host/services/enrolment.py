"""Enrolment over gRPC, on the port that asks for no client certificate."""

from __future__ import annotations

import logging

import grpc

from guichet.limits import MAX_FORMER_CERTIFICATES
from guichet.v1 import enrolment_pb2 as pb
from guichet.v1 import enrolment_pb2_grpc
from host.assembly import Host
from host.ledger.kinds import Ledger
from host.log import event
from host.pki.authority import BadRequest
from host.pki.enrolment import Application, Enrolled, TooManyWrongCodes, WrongCode
from host.services.door import origin

_MAX_CODE = 64
_MAX_CSR = 8_192
_MAX_DESCRIPTION = 200
_MAX_CERTIFICATE = 8_192

_log = logging.getLogger(__name__)


class EnrolmentService(enrolment_pb2_grpc.EnrolmentServicer):
    """Enrolment.Enrol."""

    def __init__(self, host: Host) -> None:
        self._host = host

    async def Enrol(  # noqa: D102 - in the contract
        self, request: pb.EnrolRequest, context: grpc.aio.ServicerContext[pb.EnrolRequest, pb.EnrolResponse]
    ) -> pb.EnrolResponse:
        if len(request.code) > _MAX_CODE or len(request.csr_pem) > _MAX_CSR:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "code or request too long")
        former = tuple(request.former_certificates)
        if len(former) > MAX_FORMER_CERTIFICATES or any(len(pem) > _MAX_CERTIFICATE for pem in former):
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "former certificates: too many or too long")
        description = _plain(request.description)
        application = Application(request.code, request.csr_pem, description, origin(context), former)
        now_us = self._host.now_us()
        try:
            result = await self._host.store.run(lambda c: self._host.desk.enrol(c, application, now_us))
        except TooManyWrongCodes:
            event(_log, "enrolment.throttled", level=logging.WARNING, origin=application.origin)
            await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "too many wrong codes: wait ten minutes")
        except BadRequest as error:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        if isinstance(result, WrongCode):
            event(_log, "enrolment.wrong-code", level=logging.WARNING, origin=application.origin)
            await context.abort(grpc.StatusCode.PERMISSION_DENIED, "this code does not enrol a terminal")
        event(_log, "enrolment.done", terminal=result.terminal_id, epoch=result.epoch)
        return self._response(result)

    def _response(self, enrolled: Enrolled) -> pb.EnrolResponse:
        return pb.EnrolResponse(
            terminal_id=enrolled.terminal_id,
            certificate_pem=enrolled.certificate.pem.decode("ascii"),
            epoch=enrolled.epoch,
            host_sealing_key=self._host.keys.sealing_public,
            host_signing_key=self._host.keys.signer.public_key(),
            training=enrolled.ledger is Ledger.TRAINING,
            pin_initial_key=enrolled.pin_initial_key,
            pin_key_id=enrolled.pin_key_id,
        )


def _plain(text: str) -> str:
    """A description as it may stand on a page: one line of at most 200 characters."""
    return "".join(letter if letter.isprintable() else " " for letter in text[:_MAX_DESCRIPTION])
