"""What one machine can send to the server's socket: bounded in memory, in number and in time."""

import json
import socket
import threading
import time
from collections.abc import Iterator

import httpx
import pytest

from api_process import Server, drip, is_closed, read_all, serving

GET = b"GET /health/live HTTP/1.1\r\nHost: x\r\n"
MIB = 1024 * 1024


@pytest.fixture(scope="module")
def server(database: None) -> Iterator[Server]:
    """A server whose deadlines are short; 30 connections in all, 20 of each client."""
    with serving(
        HTTP_HEADER_SECONDS="1.5",
        HTTP_IDLE_SECONDS="2",
        HTTP_STALL_SECONDS="2",
        HTTP_CONNECTIONS="30",
        HTTP_CONNECTIONS_PER_CLIENT="20",
    ) as running:
        yield running


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1]) if answer else 0


def assert_serves(server: Server) -> None:
    assert httpx.get(f"{server.url}/health/live").status_code == 200


def test_large_headers_are_refused_while_they_are_read(server: Server) -> None:
    assert_serves(server)
    before = server.memory
    begun = server.process.cpu_times().user

    def flood() -> None:
        server.ask(GET + b"X-Large: " + b"x" * (50 * MIB))

    floods = [threading.Thread(target=flood) for _ in range(4)]
    most = before
    for one in floods:
        one.start()
    while any(one.is_alive() for one in floods):
        most = max(most, server.memory)
        time.sleep(0.01)
    assert most - before < 20 * MIB
    assert server.process.cpu_times().user - begun < 2
    assert_serves(server)


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (GET + b"X-Large: " + b"x" * 40_000 + b"\r\n\r\n", 431),
        (GET + b"".join(b"X-%d: 1\r\n" % n for n in range(3_000)) + b"\r\n", 431),
        (GET + b"".join(b"X-%d: 1\r\n" % n for n in range(101)) + b"\r\n", 431),
        (GET + b"".join(b"X-%d: 1\r\n" % n for n in range(50)) + b"Connection: close\r\n\r\n", 200),
        (b"GET /" + b"a" * 9_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
        (b"GET /health/live HTTP/1.1\r\n\r\n", 400),
        (GET + b"Host: y\r\n\r\n", 400),
        (b"rubbish\r\n\r\n", 400),
        (GET + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
    ],
)
def test_refusals_are_problems_and_close(server: Server, request_bytes: bytes, status: int) -> None:
    head, _, body = server.ask(request_bytes).partition(b"\r\n\r\n")
    assert status_of(head) == status
    if status != 200:
        assert b"content-type: application/problem+json" in head
        assert b"nosniff" in head
        assert json.loads(body)["status"] == status


def test_a_bad_request_behind_a_good_one_answers_the_good_one_only_once(server: Server) -> None:
    answers = server.ask(GET + b"\r\n" + b"rubbish\r\n\r\n")
    assert answers.count(b"HTTP/1.1 200") <= 1
    assert answers.count(b"HTTP/1.1") <= 2


def test_pipelines_are_bounded(server: Server) -> None:
    answers = server.ask((GET + b"\r\n") * 500)
    assert answers.count(b"HTTP/1.1 200") < 100
    assert_serves(server)


def test_full_pipelines_are_answered_and_then_closed(server: Server) -> None:
    with server.connect((GET + b"\r\n") * 12) as opened:
        answers = read_all(opened)
    assert answers.count(b"HTTP/1.1 200") == answers.count(b"HTTP/1.1 ") == 9
    assert answers.lower().count(b"connection: close") == 1
    assert b"connection: close" in answers.rpartition(b"HTTP/1.1 ")[2].lower()


def test_invalid_requests_are_counted_in_one_line(
    database: None, capfd: pytest.CaptureFixture[str]
) -> None:
    with serving() as server:
        for _ in range(30):
            server.ask(b"rubbish\r\n\r\n")
    logged = capfd.readouterr().err
    assert logged.count("invalid HTTP request") + logged.count("Invalid HTTP request") == 1, logged


def test_deeply_nested_json_is_one_line(database: None, capfd: pytest.CaptureFixture[str]) -> None:
    with serving() as server:
        answer = httpx.post(
            f"{server.url}/api/v1/auth/token",
            content=b"[" * 100_000,
            headers={"Content-Type": "application/json"},
        )
    assert answer.status_code == 400
    logged = capfd.readouterr().err
    assert logged.count("invalid body") == 1
    assert "Traceback" not in logged


def test_trailers_never_become_headers_and_framing_is_bounded(server: Server) -> None:
    head = b"POST /api/v1/auth/token HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    head += b"Transfer-Encoding: chunked\r\n\r\n"
    before = server.memory
    trailers = b"".join(b"X-%d: %s\r\n" % (n, b"x" * 1000) for n in range(20_000))
    assert status_of(server.ask(head + b"2\r\n{}\r\n0\r\n" + trailers + b"\r\n")) == 400
    extension = b"2;" + b"x" * (5 * MIB) + b"\r\n{}\r\n0\r\n\r\n"
    assert status_of(server.ask(head + extension)) == 400
    assert server.memory - before < 10 * MIB


def test_many_small_chunks_are_a_body(server: Server) -> None:
    body = json.dumps({"email": "a@example.org", "password": "x" * 2000}).encode()

    def chunks() -> Iterator[bytes]:
        for n in range(len(body)):
            yield body[n : n + 1]

    headers = {"Content-Type": "application/json"}
    answer = httpx.post(f"{server.url}/api/v1/auth/token", content=chunks(), headers=headers)
    assert answer.status_code in {400, 401}


@pytest.mark.parametrize("sent", [b"", b"GET ", GET, GET + b"\r\n" + b"GET / HT", b"\r\n"])
def test_heads_have_a_deadline(server: Server, sent: bytes) -> None:
    with server.connect(sent) as opened:
        assert is_closed(opened, 5)


def test_a_head_that_drips_has_a_deadline(server: Server) -> None:
    with server.connect(GET) as opened:
        assert drip(opened, b"X: 1\r\n", every=0.2, seconds=8) < 7


def test_idle_connections_are_closed(server: Server) -> None:
    with server.connect(GET + b"\r\n") as opened:
        begun = time.monotonic()
        assert is_closed(opened, 5)
        assert time.monotonic() - begun > 1


UPLOAD = (
    b"POST /api/v1/auth/token HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    b"Content-Length: 100000\r\n\r\n"
)


@pytest.mark.parametrize("pause", [10, 0.3])
def test_a_body_that_drips_is_given_up(server: Server, pause: float) -> None:
    begun = time.monotonic()
    answer = b""
    with server.connect(UPLOAD) as opened:
        opened.settimeout(pause)
        while time.monotonic() - begun < 8:
            try:
                opened.sendall(b" ")
                if data := opened.recv(65_536):
                    answer += data
                    continue
                break
            except TimeoutError:
                continue
            except OSError:
                break
    assert status_of(answer) == 408
    assert time.monotonic() - begun < 7


def test_a_slow_body_that_flows_is_read(server: Server) -> None:
    body = b" " * 12_000
    with server.connect(UPLOAD.replace(b"100000", b"12000")) as opened:
        for n in range(0, len(body), 600):  # 2000 bytes a second, thrice the deadline
            opened.sendall(body[n : n + 600])
            time.sleep(0.3)
        assert status_of(opened.recv(65_536)) == 400


def test_a_client_that_does_not_read_is_cut_off(server: Server) -> None:
    with socket.socket() as opened:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        opened.connect(("127.0.0.1", server.port))
        asked = b"GET /schema/openapi.json HTTP/1.1\r\nHost: x\r\n\r\n"
        for _ in range(40):  # more than the kernel keeps for us
            try:
                opened.sendall(asked)
                time.sleep(0.02)
            except OSError:
                break
        deadline = time.monotonic() + 10
        while connections_of(server) and time.monotonic() < deadline:
            time.sleep(0.2)
        assert not connections_of(server)


def connections_of(server: Server) -> int:
    found = server.process.net_connections("tcp")
    return sum(one.status == "ESTABLISHED" and one.laddr.port == server.port for one in found)


def test_idle_connections_make_room_for_new_ones(server: Server) -> None:
    opened = [server.connect() for _ in range(300)]
    try:
        for _ in range(20):
            assert_serves(server)
    finally:
        for one in opened:
            one.close()


def test_who_keeps_every_connection_busy_is_alone(server: Server) -> None:
    busy = [server.connect(UPLOAD) for _ in range(20)]
    time.sleep(0.3)
    try:
        with server.connect(GET + b"\r\n") as another:
            assert status_of(another.recv(65_536)) == 503
            assert is_closed(another, 1)
    finally:
        for one in busy:
            one.close()


def test_what_follows_an_early_answer_is_not_read_for_ever(server: Server) -> None:
    head = UPLOAD.replace(b"/api/v1/auth/token", b"/nowhere").replace(b"100000", b"1000000000")
    with server.connect(head) as opened:
        assert status_of(opened.recv(65_536)) == 404
        assert drip(opened, b"x" * 1000, every=0.05, seconds=8) < 6
