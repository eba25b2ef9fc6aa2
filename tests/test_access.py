"""Who may do what: every role at every route, and everything that may come from where it should not."""

from __future__ import annotations

import asyncio
import itertools
import shutil
import ssl
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from beaufort import clock
from beaufort.protocols import BeaufortError, ConfigError
from beaufort.roles import Role
from beaufort.tokens import TokenFile, Verifier
from beaufort.web import Listening
from beaufort.web.access import GRANTED, Permission
from beaufort.web.origin import foreign, is_host_known
from beaufort.web.rates import Rates
from certificates import certificates
from web_stage import CONFIG, Stage, connected, stage, token

NOBODY = "nobody"
EVERYBODY = [NOBODY, "viewer", "pusher", "operator", "admin"]
SEES = {"viewer", "operator", "admin"}
OPERATES = {"operator", "admin"}

ROUTES: dict[tuple[str, str], tuple[set[str], Any]] = {
    ("GET", "/v1/status"): (SEES, None),
    ("GET", "/v1/services"): (SEES, None),
    ("GET", "/v1/services/{name}"): (SEES, None),
    ("GET", "/v1/services/{name}/explain"): (SEES, None),
    ("GET", "/v1/history"): (SEES, None),
    ("GET", "/v1/nodes"): (SEES, None),
    ("GET", "/v1/decisions"): (SEES, None),
    ("GET", "/v1/events"): (SEES, None),
    ("POST", "/v1/demand"): ({"pusher", *OPERATES}, {"service": "web", "value": 1}),
    ("POST", "/v1/services/{name}/pause"): (OPERATES, {}),
    ("POST", "/v1/services/{name}/resume"): (OPERATES, None),
    ("PATCH", "/v1/services/{name}"): (OPERATES, {}),
    ("DELETE", "/v1/services/{name}/overrides"): (OPERATES, None),
    ("POST", "/v1/config"): ({"admin"}, CONFIG),
    ("GET", "/v1/session"): (set(EVERYBODY), None),
    ("DELETE", "/v1/session"): (set(EVERYBODY), None),
    ("GET", "/healthz"): (set(EVERYBODY), None),
    ("GET", "/readyz"): (set(EVERYBODY), None),
    ("GET", "/metrics"): (SEES, None),
    ("GET", "/openapi.json"): (SEES, None),
    ("GET", "/docs"): (SEES, None),
    ("GET", "/"): (set(EVERYBODY), None),
}
"""Who may, and what is sent."""

LOGIN = ("POST", "/v1/session")
"""It answers by the token in its body, whoever asks."""


@pytest.fixture(scope="module")
def minted(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, dict[str, str]]:
    """A file of tokens, and their texts by role; the pusher's is for web. Made once: hashing is slow on purpose."""
    file = tmp_path_factory.mktemp("minted") / "tokens.json"
    services = {Role.PUSHER: ("web",)}
    texts = {role.value: token(file, role, *services.get(role, ())) for role in Role}
    return file.read_bytes(), texts


@pytest.fixture
def file(tmp_path: Path, minted: tuple[bytes, dict[str, str]]) -> Path:
    """A file of tokens of the test's own, with one of every role."""
    file = tmp_path / "tokens.json"
    file.write_bytes(minted[0])
    file.chmod(0o600)
    return file


@pytest.fixture
def texts(minted: tuple[bytes, dict[str, str]]) -> dict[str, str]:
    """The tokens in it, by role."""
    return minted[1]


@pytest.fixture
async def played(file: Path) -> AsyncIterator[Stage]:
    async with stage(tokens=file) as played:
        await played.settled(web=1, rest=5)
        yield played


def shown(texts: dict[str, str], who: str) -> dict[str, str]:
    return {"authorization": f"Bearer {texts[who]}"} if who in texts else {}


@pytest.mark.parametrize("who", EVERYBODY)
async def test_each_role_may_do_its_own_and_no_more(played: Stage, texts: dict[str, str], who: str) -> None:
    for (method, path), (allowed, body) in ROUTES.items():
        query = {"follow": "false"} if path == "/v1/events" else {}
        sent = {} if body is None else {"json": body}
        answer = await played.client.request(
            method, path.format(name="web"), params=query, headers=shown(texts, who), **sent
        )
        expected = 200 if who in allowed else 401 if who == NOBODY else 403
        assert answer.status_code == expected, (method, path, answer.text)


async def test_the_table_of_routes_is_whole(played: Stage, texts: dict[str, str]) -> None:
    described = (await played.client.get("/openapi.json", headers=shown(texts, "viewer"))).json()
    routes = {(method.upper(), path) for path, item in described["paths"].items() for method in item}
    assert routes - {LOGIN} <= ROUTES.keys()


def test_every_role_has_its_permissions() -> None:
    assert set(GRANTED) == set(Role)
    assert GRANTED[Role.ADMIN] == set(Permission)


async def test_a_pusher_pushes_for_its_own_services_only(played: Stage, texts: dict[str, str]) -> None:
    pusher = shown(texts, "pusher")
    ours, other = {"service": "web", "value": 2}, {"service": "rest", "value": 2}
    answer = await played.client.post("/v1/demand", json=[ours, other], headers=pusher)
    assert (answer.status_code, answer.json()["faults"]) == (422, ["rest: the pusher may not push for it"])
    assert played.serving.station.chronicle.newest("web") is None
    assert (await played.client.post("/v1/demand", json=ours, headers=pusher)).status_code == 200


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda text: text[:-1] + ("A" if text[-1] != "A" else "B"), id="the last letter"),
        pytest.param(lambda text: text.rpartition("_")[0] + "_", id="no secret"),
        pytest.param(lambda _: "beaufort_00000000_" + "x" * 43, id="no such id"),
        pytest.param(lambda _: "\xe9" * 20, id="not ascii"),
        pytest.param(lambda _: "x" * 5000, id="long"),
    ],
)
async def test_a_wrong_token_is_nobody(played: Stage, texts: dict[str, str], spoil: Callable[[str], str]) -> None:
    headers = [(b"authorization", b"Bearer " + spoil(texts["admin"]).encode("latin-1"))]
    answer = await played.client.get("/v1/status", headers=headers)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert texts["admin"] not in answer.text


async def test_guessing_is_slowed_down_and_good_tokens_go_on(played: Stage, texts: dict[str, str]) -> None:
    good = shown(texts, "viewer")
    assert (await played.client.get("/v1/status", headers=good)).status_code == 200
    wrong = {"authorization": "Bearer beaufort_00000000_guess"}
    statuses = [(await played.client.get("/v1/status", headers=wrong)).status_code for _ in range(12)]
    assert statuses[:10] == [401] * 10
    assert statuses[-1] == 429
    assert (await played.client.get("/v1/status", headers=good)).status_code == 200


async def test_tokens_come_and_go_without_a_restart(played: Stage, file: Path, texts: dict[str, str]) -> None:
    fresh = token(file, Role.VIEWER, name="fresh")
    assert (await played.client.get("/v1/status", headers={"authorization": f"Bearer {fresh}"})).status_code == 200
    TokenFile(file).revoke(fresh.split("_")[1])
    assert (await played.client.get("/v1/status", headers={"authorization": f"Bearer {fresh}"})).status_code == 401
    assert (await played.client.get("/v1/status", headers=shown(texts, "viewer"))).status_code == 200
    await asyncio.to_thread(file.write_text, "broken")
    answer = await played.client.get("/v1/status", headers=shown(texts, "viewer"))
    assert answer.status_code == 503
    await asyncio.to_thread(file.unlink)
    assert (await played.client.get("/v1/status", headers=shown(texts, "viewer"))).status_code == 401
    assert (await played.client.get("/v1/status")).status_code == 401


async def test_an_expired_token_is_nobody(played: Stage, file: Path) -> None:
    soon = token(file, Role.VIEWER, expires=clock.now() + 0.3)
    headers = {"authorization": f"Bearer {soon}"}
    assert (await played.client.get("/v1/status", headers=headers)).status_code == 200
    async with asyncio.timeout(10):
        while (await played.client.get("/v1/status", headers=headers)).status_code == 200:
            pass
    assert (await played.client.get("/v1/status", headers=headers)).status_code == 401


def test_the_file_holds_no_token_and_is_for_its_owner_alone(file: Path, texts: dict[str, str]) -> None:
    file.chmod(0o644)
    token(file, Role.VIEWER)
    held = file.read_text()
    secrets = [text.split("_", 2)[2] for text in texts.values()]
    assert not any(secret in held for secret in secrets)
    assert file.stat().st_mode & 0o777 == 0o600
    assert {found.role for found in TokenFile(file).read()} == set(Role)


def test_what_is_no_file_of_tokens_is_told(tmp_path: Path) -> None:
    broken = tmp_path / "broken.json"
    broken.write_text('{"tokens": [{"id": 1}]}')
    with pytest.raises(BeaufortError, match="expected a file of tokens"):
        TokenFile(broken).read()
    with pytest.raises(BeaufortError, match="can't be written"):
        token(broken / "below" / "a-file", Role.VIEWER)
    assert TokenFile(tmp_path / "absent").read() == ()


def test_a_good_token_is_slow_once_and_a_wrong_one_always(file: Path, texts: dict[str, str]) -> None:
    verifier = Verifier(TokenFile(file))
    assert verifier.known(texts["admin"], 0.0) is None
    proven = verifier.prove(texts["admin"], 0.0)
    assert proven is not None
    assert verifier.known(texts["admin"], 0.0) == proven
    assert verifier.known(texts["admin"] + "x", 0.0) is None
    assert verifier.prove(texts["admin"] + "x", 0.0) is None


async def test_a_page_logs_in_by_a_cookie_that_scripts_cannot_read(played: Stage, texts: dict[str, str]) -> None:
    assert (await played.client.get("/v1/session")).json()["asked"] is True
    answer = await played.client.post("/v1/session", json={"token": texts["operator"]})
    assert answer.json()["role"] == "operator"
    cookie = answer.headers["set-cookie"].lower()
    assert all(part in cookie for part in ("httponly", "samesite=strict", "path=/"))
    assert texts["operator"] not in cookie
    assert (await played.client.get("/v1/session")).json()["name"] == "the operator"
    assert (await played.client.get("/v1/status")).status_code == 200
    async with played.client.stream("GET", "/v1/events", params={"follow": "false"}) as stream:
        assert stream.status_code == 200
    # A change needs the header that a form of another page can't send.
    assert (await played.client.post("/v1/services/web/pause", json={})).status_code == 403
    ours = {"x-beaufort": "page"}
    assert (await played.client.post("/v1/services/web/pause", json={}, headers=ours)).status_code == 200
    foreign_page = {**ours, "origin": "http://evil.example"}
    assert (await played.client.post("/v1/services/web/resume", headers=foreign_page)).status_code == 403
    await played.client.delete("/v1/session", headers=ours)
    assert (await played.client.get("/v1/status")).status_code == 401


async def test_a_session_ends_with_its_token(played: Stage, file: Path, texts: dict[str, str]) -> None:
    await played.client.post("/v1/session", json={"token": texts["viewer"]})
    assert (await played.client.get("/v1/status")).status_code == 200
    TokenFile(file).revoke(texts["viewer"].split("_")[1])
    assert (await played.client.get("/v1/status")).status_code == 401


@pytest.mark.parametrize("who", ["pusher", "wrong"])
async def test_a_page_needs_a_good_token_that_sees(played: Stage, texts: dict[str, str], who: str) -> None:
    answer = await played.client.post("/v1/session", json={"token": texts.get(who, "wrong")})
    assert answer.status_code in {401, 403}
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    ("host", "names", "known"),
    [
        pytest.param("127.0.0.1:8712", (), True, id="an address"),
        pytest.param("[::1]:8712", (), True, id="an address of version 6"),
        pytest.param("localhost", (), True, id="localhost"),
        pytest.param("LOCALHOST:1", (), True, id="in capitals"),
        pytest.param("beaufort.example:8712", ("beaufort.example",), True, id="a name of ours"),
        pytest.param("evil.example", ("beaufort.example",), False, id="another name"),
        pytest.param("127.0.0.1.evil.example", (), False, id="a name like an address"),
        pytest.param("localhost.evil.example", (), False, id="a name like localhost"),
        pytest.param("evil.example@127.0.0.1", (), False, id="a name before an address"),
        pytest.param("127.0.0.1/evil.example", (), False, id="a path"),
        pytest.param("localhost:port", (), False, id="no port"),
        pytest.param("", (), False, id="nothing"),
    ],
)
def test_names_that_are_not_ours_are_not_answered(host: str, names: tuple[str, ...], known: bool) -> None:
    assert is_host_known(host, frozenset(names)) is known


@pytest.mark.parametrize(
    ("headers", "is_foreign"),
    [
        pytest.param({}, False, id="a program"),
        pytest.param({b"origin": b"http://localhost:8712"}, False, id="our own page"),
        pytest.param({b"origin": b"http://localhost:9999"}, True, id="another port"),
        pytest.param({b"origin": b"https://localhost:8712"}, True, id="another scheme"),
        pytest.param({b"origin": b"null"}, True, id="nowhere"),
        pytest.param({b"sec-fetch-site": b"cross-site", b"sec-fetch-mode": b"no-cors"}, True, id="a picture elsewhere"),
        pytest.param({b"sec-fetch-site": b"cross-site", b"sec-fetch-mode": b"navigate"}, False, id="a link elsewhere"),
        pytest.param({b"sec-fetch-site": b"same-origin", b"sec-fetch-mode": b"cors"}, False, id="our own script"),
    ],
)
def test_pages_from_elsewhere_are_told_from_ours(headers: dict[bytes, bytes], is_foreign: bool) -> None:
    assert foreign(headers, "http", "localhost:8712") is is_foreign


async def test_host_and_origin_are_checked_also_where_no_token_is_asked_for() -> None:
    async with stage() as played:
        rebound = await played.client.get("/v1/status", headers={"host": "evil.example"})
        assert (rebound.status_code, rebound.headers["content-type"]) == (421, "application/problem+json")
        foreign_page = {"origin": "http://evil.example"}
        push = {"service": "web", "value": 1}
        assert (await played.client.post("/v1/demand", json=push, headers=foreign_page)).status_code == 403
        form = await played.client.post("/v1/demand", data={"service": "web", "value": "1"})
        assert form.status_code == 415
        answer = await played.client.get("/v1/status", headers={"origin": played.url})
        assert answer.status_code == 200
        assert not any(name.startswith("access-control") for name in answer.headers)
        assert answer.headers["x-frame-options"] == "DENY"
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert "unsafe-inline" not in answer.headers["content-security-policy"]
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        pytest.param({"listen": "0.0.0.0:0"}, "--tls-cert and --tls-key are needed", id="no TLS"),
        pytest.param({"listen": "0.0.0.0:0"}, "tokens are needed", id="no tokens"),
        pytest.param({"listen": "nowhere:80"}, "--listen: expected an address", id="no address"),
        pytest.param({"listen": "127.0.0.1:x"}, "--listen: expected an address", id="no port"),
        pytest.param({"tls_cert": Path("/no/cert")}, "expected both, or neither", id="half of TLS"),
        pytest.param({"tls_cert": Path("/no/cert")}, "--tls-cert: expected a file, got /no/cert", id="no certificate"),
    ],
)
def test_what_is_not_safe_is_refused_before_anything_is_served(options: dict[str, Any], fault: str) -> None:
    with pytest.raises(ConfigError, match=fault):
        Listening(**options)


async def test_insecure_says_so_aloud() -> None:
    async with stage(listen="0.0.0.0:0", insecure=True) as played:
        assert "insecure" in {event.kind for event in played.events}


async def test_other_machines_are_served_by_tls_and_tokens(tmp_path: Path, file: Path, texts: dict[str, str]) -> None:
    made = certificates(tmp_path)
    trusting = ssl.create_default_context(cafile=made.ca)
    async with stage(
        listen="0.0.0.0:0", tls_cert=made.cert("server"), tls_key=made.key("server"), tokens=file
    ) as played:
        url = f"https://127.0.0.1:{played.port}"
        async with httpx.AsyncClient(base_url=url, verify=trusting, trust_env=False) as client:
            assert (await client.get("/v1/status")).status_code == 401
            assert (await client.get("/v1/status", headers=shown(texts, "viewer"))).status_code == 200
            cookie = (await client.post("/v1/session", json={"token": texts["viewer"]})).headers["set-cookie"]
            assert cookie.startswith("__Host-beaufort=")
            assert "Secure" in cookie
        with pytest.raises(httpx.HTTPError):
            await played.client.get(f"http://127.0.0.1:{played.port}/healthz")


async def test_a_key_that_does_not_fit_is_wrong_input(tmp_path: Path) -> None:
    made = certificates(tmp_path)
    with pytest.raises(ExceptionGroup) as caught:
        async with stage(tls_cert=made.cert("server"), tls_key=made.key("client")):
            pass
    assert isinstance(caught.value.exceptions[0], ConfigError)


async def test_readiness_names_services_only_to_who_may_see_them(played: Stage, texts: dict[str, str]) -> None:
    told = {who: (await played.client.get("/readyz", headers=shown(texts, who))).json() for who in EVERYBODY}
    assert {who for who, each in told.items() if each["stale"]} == SEES
    assert {each["sources"]["detail"] for each in told.values()} == {"1 of 2 services has no fresh demand"}


async def test_a_new_certificate_needs_no_restart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("beaufort.web.certificate.EVERY", 0.01)
    made, cert, key = certificates(tmp_path), tmp_path / "served.pem", tmp_path / "served-key.pem"
    shutil.copy(made.cert("server"), cert)
    shutil.copy(made.key("server"), key)
    async with stage(tls_cert=cert, tls_key=key) as played:
        assert await served(played.port) == certificate(made.cert("server"))
        shutil.copy(made.cert("client"), cert)
        await played.until(lambda: "certificate-refused" in {event.kind for event in played.events})
        assert await served(played.port) == certificate(made.cert("server"))
        shutil.copy(made.key("client"), key)
        await played.until(lambda: "certificate" in {event.kind for event in played.events})
        assert await served(played.port) == certificate(made.cert("client"))
    assert [event.detail for event in played.events if event.kind == "certificate"] == ["a new one is served"]


def certificate(file: Path) -> bytes:
    return ssl.PEM_cert_to_DER_cert(file.read_text())


async def served(port: int) -> bytes | None:
    """The certificate that a new connection is shown."""
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    async with connected(port, trusting) as (_, writer):
        shown: bytes | None = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        return shown


async def test_a_body_may_not_be_too_large(played: Stage, texts: dict[str, str]) -> None:
    headers = {**shown(texts, "admin"), "content-type": "application/json"}
    answer = await played.client.post("/v1/demand", content=b"[" + b" " * 2**20 + b"]", headers=headers)
    assert answer.status_code == 413

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b" " * 2**16

    # The answer may come, and the connection be closed, before all is sent.
    with suppress(httpx.WriteError):
        assert (await played.client.post("/v1/demand", content=pieces(), headers=headers)).status_code == 413


async def test_too_many_requests_are_refused(
    played: Stage, texts: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    gate_rates = Rates(0.001, 3)
    monkeypatch.setattr(played.serving.gate, "_rates", gate_rates)
    statuses = [(await played.client.get("/v1/status", headers=shown(texts, "viewer"))).status_code for _ in range(4)]
    assert statuses == [200, 200, 200, 429]
    assert (await played.client.get("/v1/status", headers=shown(texts, "admin"))).status_code == 200


def test_rates_are_of_each_and_in_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    now = itertools.chain([0.0] * 6, itertools.repeat(10.0))
    monkeypatch.setattr(time, "monotonic", lambda: next(now))
    rates = Rates(0.1, 2)
    assert [rates.take("a") for _ in range(3)] == [True, True, False]
    assert [rates.take("a") for _ in range(2)] == [True, False]
    assert rates.take("b")


async def rest(reader: asyncio.StreamReader) -> bytes:
    """All that comes until the connection is closed, or cut."""
    async with asyncio.timeout(5):
        try:
            return await reader.read()
        except ConnectionResetError:
            return b""


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        pytest.param(b"", b"", id="nothing"),
        pytest.param(b"GET /v1/status HTTP/1.1\r\nhost: local", b"", id="half a head"),
        pytest.param(
            b"POST /v1/demand HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n[",
            b"HTTP/1.1 408 ",
            id="half a body",
        ),
    ],
)
async def test_who_says_nothing_in_time_is_cut_off(said: bytes, answer: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("beaufort.web.connection.HEAD", 0.2)
    monkeypatch.setattr("beaufort.web.gate.BODY", 0.2)
    async with stage() as played, connected(played.port) as (reader, writer):
        writer.write(said)
        assert (await rest(reader)).startswith(answer)


async def test_a_head_may_not_be_too_large(played: Stage) -> None:
    async with connected(played.port) as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\nhost: localhost\r\n" + b"x-filler: " + b"x" * 200_000)
        assert await rest(reader) == b""
    assert (await played.client.get("/healthz")).status_code == 200


async def test_more_connections_than_there_is_room_for_are_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("beaufort.web.connection.MOST", 2)
    async with stage() as played:
        async with connected(played.port), connected(played.port), connected(played.port) as (reader, _):
            assert await rest(reader) == b""
        await played.until(lambda: not played.serving.connections)
        assert (await played.client.get("/healthz")).status_code == 200


async def test_every_change_is_an_event_with_who_what_and_from_where(played: Stage, texts: dict[str, str]) -> None:
    operator, admin = shown(texts, "operator"), shown(texts, "admin")
    push = {"service": "web", "value": 1}
    await played.client.post("/v1/demand", json=push, headers=operator)
    await played.client.post("/v1/demand", json=push, headers=operator)
    await played.client.post("/v1/services/web/pause", json={"direction": "in"}, headers=operator)
    await played.client.post("/v1/services/web/resume", headers=operator)
    await played.client.patch("/v1/services/web", json={"max": 3, "weight": 2.5}, headers=operator)
    await played.client.delete("/v1/services/web/overrides", headers=operator)
    await played.client.post("/v1/config", json=CONFIG, headers=admin)
    await played.client.post("/v1/session", json={"token": texts["viewer"]})
    told = [(event.service, event.detail) for event in played.events if event.kind == "audit"]
    ids = {who: texts[who].split("_")[1] for who in texts}
    by = f"the operator (token {ids['operator']}) from 127.0.0.1"
    assert told == [
        ("web", f"{by}: pushes demand from now on"),
        ("web", f"{by}: pause, in"),
        ("web", f"{by}: resume"),
        ("web", f"{by}: limits changed: max 3, weight 2.5"),
        ("web", f"{by}: limits as in the configuration again"),
        (
            None,
            f"the admin (token {ids['admin']}) from 127.0.0.1: the configuration swapped for another, of 2 services",
        ),
        (None, f"the viewer (token {ids['viewer']}) from 127.0.0.1: login of a page"),
    ]
