"""Advices, as a stream item and as a call: both are settled by the same desk and answered alike."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import grpc

from guichet.v1 import terminal_link_pb2 as pb
from guichet.v1 import terminal_link_pb2_grpc
from host.ledger.advice import BadAdvice, parse_advice
from host.ledger.settlement import Answer, Refusal, RefusalReason, Submission
from host.log import event
from host.services.desk import Busy, SettlementDesk

_log = logging.getLogger(__name__)

_CODES = {
    RefusalReason.BAD_SIGNATURE: pb.REFUSAL_CODE_BAD_SIGNATURE,
    RefusalReason.SIMULATED: pb.REFUSAL_CODE_SIMULATED,
    RefusalReason.PREMATURE: pb.REFUSAL_CODE_BUSY,
}


@dataclass(frozen=True, slots=True)
class Reply:
    """Either an answer or why there is none."""

    answer: pb.SignedAnswer | None
    refused: pb.ItemRefused | None


async def settle(desk: SettlementDesk, signed: pb.SignedAdvice, only: str | None = None) -> Reply:
    """Settle one signed advice. ``only``: the terminal that it must be of."""
    try:
        advice = parse_advice(signed.content)
        if only is not None and advice.terminal_id != only:
            return refused(pb.REFUSAL_CODE_BAD_SIGNATURE, f"an advice of {advice.terminal_id}, sent by {only}")
        result = await desk.settle(Submission(advice, signed.signature))
    except BadAdvice as error:
        return refused(pb.REFUSAL_CODE_MALFORMED, str(error))
    except Busy as error:
        return refused(pb.REFUSAL_CODE_BUSY, str(error))
    match result:
        case Answer(content, signature):
            event(_log, "deposit.answered", terminal=advice.terminal_id, deposit=advice.deposit_id)
            return Reply(pb.SignedAnswer(content=content, signature=signature), None)
        case Refusal(reason, text):
            event(_log, "deposit.refused", terminal=advice.terminal_id, deposit=advice.deposit_id, reason=reason.value)
            return refused(_CODES[reason], text)


def refused(code: pb.RefusalCode.ValueType, text: str) -> Reply:
    """A refusal with its text for the engineer."""
    return Reply(None, pb.ItemRefused(code=code, text=text))


class DepositsService(terminal_link_pb2_grpc.DepositsServicer):
    """Deposits.Submit: authenticated by the advice's signature alone, on both ports."""

    def __init__(self, desk: SettlementDesk) -> None:
        self._desk = desk

    async def Submit(  # noqa: D102 - in the contract
        self, request: pb.SubmitRequest, context: grpc.aio.ServicerContext[pb.SubmitRequest, pb.SubmitResponse]
    ) -> pb.SubmitResponse:
        reply = await settle(self._desk, request.advice)
        if reply.refused is not None:
            busy = reply.refused.code == pb.REFUSAL_CODE_BUSY
            code = grpc.StatusCode.UNAVAILABLE if busy else grpc.StatusCode.INVALID_ARGUMENT
            await context.abort(code, reply.refused.text)
        return pb.SubmitResponse(answer=reply.answer)
