"""How a request's body is read: as JSON or as MessagePack, by what it says that it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec
from litestar import Request
from litestar.openapi.spec import Operation, RequestBody

from beaufort.web.complaints import complaints
from beaufort.web.problems import Refused, several

__all__ = ["Body", "EitherWay"]

MSGPACK = "application/msgpack"

DECODERS: dict[str, Callable[[bytes], Any]] = {
    "application/json": msgspec.json.decode,
    MSGPACK: msgspec.msgpack.decode,
    "application/vnd.msgpack": msgspec.msgpack.decode,
    "application/x-msgpack": msgspec.msgpack.decode,
}


class Body(Request[Any, Any, Any]):
    """A body of another type is refused: a form of a web page, above all, can't be anything else."""

    async def json(self) -> Any:
        said = self.headers.get("content-type", "").partition(";")[0].strip().lower()
        if said not in DECODERS:
            raise Refused(415, f"content-type: expected application/json or {MSGPACK}, got {said or 'none'}")
        body = await self.body()
        try:
            value = DECODERS[said](body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise Refused(400, f"the body is not what {said} is: {error}") from None
        asked = self.route_handler.parsed_data_field
        if asked is not None and (faults := complaints(value, asked.annotation)):
            raise Refused(400, several(faults), faults=faults)
        return value

    async def body(self) -> bytes:
        body = await super().body()
        if not body:
            raise Refused(400, "a body is needed, in JSON")
        return body


@dataclass
class EitherWay(Operation):
    """A route whose body may be MessagePack too."""

    def __post_init__(self) -> None:
        if isinstance(self.request_body, RequestBody):
            content = self.request_body.content
            self.request_body = RequestBody(required=True, content={**content, MSGPACK: content["application/json"]})
