"""Replays recorded exchanges of an older backend, and compares what this one answers.

A recording is a TOML file of `[[exchange]]` tables:

- `row`: what is asked, and `request`: method and path; `json`, `form`, `headers`, `client` (each
  name has cookies of its own).
- `status`, `body`, `answer` (headers): what the older backend answered. Texts in `<>` are kinds of
  values (KINDS); a list with one item describes all items, of which there is at least one.
- `explained` and `ours`: why this backend answers differently on purpose, and what (`status`,
  `body`).
- `save`: names for parts of our body, which later exchanges use as `{name}`; `mail = true` saves
  `uid` and `token` of the newest mail first.
"""

import re
import tomllib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import msgspec

FOLDER = Path(__file__).parent / "recordings"

STAMP = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"
KINDS = {
    "<text>": r"(?s).*",
    "<word>": r"\S+",
    "<time>": STAMP,
    "<date>": r"\d{4}-\d\d-\d\d",
    "<uuid>": r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}",
    "<url>": r"http://test/\S+",
    "<jwt>": r"[\w-]+\.[\w-]+\.[\w-]+",
    "<playlist>": r"(?s)#EXTM3U\n.*",
}
PLACEHOLDER = re.compile(r"\{(\w+)\}")


class Ours(msgspec.Struct, forbid_unknown_fields=True):
    status: int | None = None
    body: Any = msgspec.UNSET


class Exchange(msgspec.Struct, forbid_unknown_fields=True):
    row: str
    request: str
    status: int
    client: str = "nobody"
    json: Any = None
    form: dict[str, Any] | None = None
    headers: dict[str, str] = {}
    body: Any = msgspec.UNSET
    answer: dict[str, str] = {}
    explained: str = ""
    ours: Ours | None = None
    save: dict[str, str] = {}
    mail: bool = False


class Outcome(msgspec.Struct):
    """`verdict` is identical, explained or different."""

    row: str
    verdict: str
    reason: str


def read_recording(name: str) -> list[Exchange]:
    data = tomllib.loads((FOLDER / f"{name}.toml").read_text())
    return msgspec.convert(data["exchange"], list[Exchange])


class Replay:
    """Sends the exchanges one after the other; `values` are what `{name}` stands for."""

    def __init__(
        self,
        connect: Callable[[], httpx.AsyncClient],
        read_mail: Callable[[], Awaitable[dict[str, str]]],
        values: dict[str, Any],
    ) -> None:
        self._connect = connect
        self._read_mail = read_mail
        self._clients: dict[str, httpx.AsyncClient] = {}
        self.values = values

    async def run(self, exchanges: list[Exchange]) -> list[Outcome]:
        try:
            return [await self._replay(exchange) for exchange in exchanges]
        finally:
            for client in self._clients.values():
                await client.aclose()

    async def _replay(self, exchange: Exchange) -> Outcome:
        if exchange.mail:
            self.values |= await self._read_mail()
        answer = await self._send(exchange)
        body = _body(answer)
        for name, place in exchange.save.items():
            self.values[name] = _part(body, place)
        faults = self._faults(answer, body, exchange.status, exchange.body, exchange.answer)
        if not exchange.explained:
            return Outcome(exchange.row, "different" if faults else "identical", "; ".join(faults))
        if not faults:
            return Outcome(exchange.row, "different", "it is the same, and needs no explanation")
        ours = exchange.ours or Ours()
        status = ours.status or exchange.status
        found = self._faults(answer, body, status, ours.body, {})
        return Outcome(
            exchange.row,
            "different" if found else "explained",
            "; ".join(found) or exchange.explained,
        )

    async def _send(self, exchange: Exchange) -> httpx.Response:
        if exchange.client not in self._clients:
            self._clients[exchange.client] = self._connect()
        method, path = exchange.request.split(" ")
        headers = self._filled(exchange.headers)
        if exchange.json is not None:
            sent: dict[str, Any] = {"json": self._filled(exchange.json)}
        else:
            sent = {"data": self._filled(exchange.form)} if exchange.form is not None else {}
        return await self._clients[exchange.client].request(
            method, self._filled(path), headers=headers, **sent
        )

    def _faults(
        self, answer: httpx.Response, body: Any, status: int, wanted: Any, headers: dict[str, str]
    ) -> list[str]:
        faults = []
        if answer.status_code != status:
            faults.append(f"{answer.status_code} instead of {status}: {answer.text[:200]}")
        elif wanted is not msgspec.UNSET:
            faults += differences(self._filled(wanted), body)
        for name, value in headers.items():
            if not _is_of_kind(value, answer.headers.get(name, "")):
                faults.append(f"{name}: {answer.headers.get(name)}")
        return faults

    def _filled(self, value: Any) -> Any:
        """Replace `{name}`; a text that is nothing else becomes the value itself."""
        if isinstance(value, dict):
            return {key: self._filled(one) for key, one in value.items()}
        if isinstance(value, list):
            return [self._filled(one) for one in value]
        if not isinstance(value, str):
            return value
        if (whole := PLACEHOLDER.fullmatch(value)) is not None:
            return self.values[whole[1]]
        return PLACEHOLDER.sub(lambda found: str(self.values[found[1]]), value)


def differences(wanted: Any, found: Any, at: str = "$") -> list[str]:
    """Where a body is not as described, in words."""
    if isinstance(wanted, dict) and isinstance(found, dict):
        faults = [f"{at}.{name} is missing" for name in wanted.keys() - found.keys()]
        faults += [f"{at}.{name} is new" for name in found.keys() - wanted.keys()]
        for name in wanted.keys() & found.keys():
            faults += differences(wanted[name], found[name], f"{at}.{name}")
        return sorted(faults)
    if isinstance(wanted, list) and isinstance(found, list):
        if not wanted or not found:
            return [] if wanted == found else [f"{at} is {found!r:.200}"]
        pairs = [(wanted[0], one) for one in found]
        if len(wanted) > 1:
            if len(wanted) != len(found):
                return [f"{at} has {len(found)} items"]
            pairs = list(zip(wanted, found, strict=True))
        return [
            fault
            for number, (one, other) in enumerate(pairs)
            for fault in differences(one, other, f"{at}[{number}]")
        ]
    return [] if _is_of_kind(wanted, found) else [f"{at} is {found!r:.200}"]


def _is_of_kind(wanted: Any, found: Any) -> bool:
    if not isinstance(wanted, str) or not wanted.startswith("<"):
        return bool(wanted == found) and type(wanted) is type(found)
    kinds = wanted.split("|")
    if "<null>" in kinds and found is None:
        return True
    if "<int>" in kinds and isinstance(found, int) and not isinstance(found, bool):
        return True
    if "<number>" in kinds and isinstance(found, int | float):
        return True
    if "<bool>" in kinds and isinstance(found, bool):
        return True
    texts = [KINDS[kind] for kind in kinds if kind in KINDS]
    return isinstance(found, str) and any(re.fullmatch(one, found) for one in texts)


def _body(answer: httpx.Response) -> Any:
    if not answer.content:
        return ""
    if "json" in answer.headers.get("content-type", ""):
        return answer.json()
    return answer.text


def _part(body: Any, place: str) -> Any:
    for name in place.split("."):
        body = body[int(name)] if isinstance(body, list) else body[name]
    return body
