"""The HTTP routes: what they answer, to whom, and what they keep to themselves."""

import re
import socket
import time

import pytest

from support import http
from support.processes import Cluster
from support.waiting import eventually

ORIGIN = "http://localhost:5173"
ROUTES = [
    "/api/health",
    "/api/live",
    "/api/ready",
    "/health/server-1",
    "/api/stats",
    "/api/all-rooms",
    "/api/load-balancer?roomId=room1",
    "/api/instance",
]
SAMPLE = re.compile(
    r'^[a-zA-Z_:][a-zA-Z0-9_:]*(\{([a-zA-Z_][a-zA-Z0-9_]*="(\\.|[^"\\])*",?)*\})? '
    r"(-?[0-9.]+([eE][+-]?[0-9]+)?|[+-]Inf|NaN)$"
)


@pytest.mark.parametrize("path", ROUTES)
async def test_every_route_answers_json(pair, path):
    answer = await http.get(pair.instances[0].url + path)
    assert answer.status == 200, answer.text
    assert "application/json" in answer.headers["content-type"]
    assert isinstance(answer.json(), dict)


@pytest.mark.parametrize("path", ["/api/health", "/api/all-rooms", "/health/server-2", "/"])
async def test_nginx_passes_the_routes_on(pair, path):
    answer = await http.get(pair.nginx.url + path)
    assert answer.status == 200, answer.text


async def test_health_names_the_instance_and_its_state(pair):
    for one in pair.instances:
        health = await one.health()
        assert health["status"] == "healthy"
        assert one.name in str(health)


@pytest.mark.known_failure("C59")
async def test_R32_without_redis_health_stays_200_and_says_degraded_with_its_reason(
    clusters, people
):
    cluster = await clusters(instances=1, redis=True, redis_first=False)
    one = cluster.instances[0]
    await eventually(one.degraded, 8, what="degraded without its Redis")
    for path in ("/api/health", "/api/live"):
        assert await http.status_of(one.url + path) == 200
    assert "redis" in str((await one.health())["reasons"]).lower()
    # Redis is away for everybody, so nobody else could serve: clients are still taken.
    assert (await people.room_client(one.url)).connected
    assert await http.status_of(one.url + "/api/ready") == 200


@pytest.mark.known_failure("C59")
async def test_ready_is_503_while_draining(clusters, people):
    cluster = await clusters(instances=1, redis=False, env={"DRAIN_DELAY": 4000})
    one = cluster.instances[0]
    await people.room_client(one.url)
    one.terminate()

    async def not_ready():
        return await http.status_of(one.url + "/api/ready") == 503

    await eventually(not_ready, 3)
    assert "drain" in (await http.get(one.url + "/api/ready")).text.lower()
    assert await one.ended(20) == 0


async def test_all_rooms_has_what_the_page_reads(pair, people, room):
    await people.host(pair.instances[0].url, room, "Ana", password="secreta")

    async def listed():
        answer = await http.get_json(pair.instances[1].url + "/api/all-rooms")
        assert answer["success"] is True
        return [item for item in answer["rooms"] if item["id"] == room]

    item = (await eventually(listed))[0]
    assert item["userCount"] == 1 and item["isProtected"] is True
    assert item["serverInstance"] in ("server-1", "server-2")
    assert item["isAvailable"] is True
    assert abs(item["lastActivity"] / 1000 - time.time()) < 60


@pytest.mark.known_failure("C10")
async def test_C10_public_answers_hold_no_socket_id_no_secret_and_no_inside(pair, people, room):
    host = await people.host(pair.instances[0].url, room, "Ana", password="secreta")
    guest = await people.guest(pair.instances[0].url, room, password="secreta")
    cookie = host.handshake_headers.getall("Set-Cookie")[0].split(";")[0].split("=", 1)[1]
    for path in [*ROUTES, "/metrics", "/"]:
        text = (await http.get(pair.instances[0].url + path)).text
        for inside in (host.sid, guest.sid, "secreta", cookie, "REDIS_URL"):
            assert inside not in text, f"{path} shows {inside}"
        # As a number of its own: a count of bytes may well begin with these digits.
        assert not re.search(rf":{pair.redis.port}\b", text), f"{path} shows the port of Redis"


@pytest.mark.known_failure("C47")
async def test_load_balancer_names_one_owner_from_every_instance(pair):
    for number in range(20):
        answers = [
            await http.get_json(f"{one.url}/api/load-balancer?roomId=room{number}")
            for one in pair.instances
        ]
        assert answers[0]["owner"] == answers[1]["owner"]
        owner = pair.named(answers[0]["owner"])
        assert answers[0]["roomId"] == f"room{number}" and answers[0]["url"] == owner.url


@pytest.mark.parametrize(
    "query", ["", "?roomId=", "?roomId=a", "?roomId=" + "x" * 51, "?roomId=%00%ff", "?roomId=a%20b"]
)
async def test_load_balancer_without_a_usable_room_id_explains_itself(pair, query):
    answer = await http.get(f"{pair.instances[0].url}/api/load-balancer{query}")
    assert answer.status in (200, 400)
    if answer.status == 400:
        assert_error(answer)


def assert_error(answer):
    body = answer.json()
    assert set(body) == {"error"}
    assert isinstance(body["error"]["message"], str) and body["error"]["message"]
    assert re.fullmatch(r"[A-Z_]+", body["error"]["code"])
    assert "details" in body["error"]


@pytest.mark.parametrize(
    "path",
    [
        "/nothing",
        "/api/nothing",
        "/api",
        "/package.json",
        "/.env",
        "/.env.ha",
        "/.git/config",
        "/Package.swift",
        "/../../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/api/health/x",
        "/health/server-9",
        "/socket.iox",
        "//api//health",
        "/Sources/App/tandem",
    ],
)
@pytest.mark.known_failure("C8")
async def test_C8_other_paths_are_404(pair, path):
    answer = await http.get(pair.instances[0].url + path)
    assert answer.status == 404, answer.text[:200]
    assert_error(answer)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
async def test_other_methods_are_405_and_name_the_right_ones(pair, method):
    for path in ("/api/health", "/api/all-rooms", "/metrics"):
        answer = await http.request(method, pair.instances[0].url + path, body=b"{}")
        assert answer.status == 405, f"{method} {path}: {answer.status}"
        assert "GET" in answer.headers["allow"]
        assert_error(answer)


async def test_head_answers_as_get_without_a_body(pair):
    answer = await http.request("HEAD", pair.instances[0].url + "/api/health")
    assert answer.status == 200 and answer.body == b""


@pytest.mark.parametrize("path", ["/api/health", "/api/all-rooms", "/socket.io/?EIO=4"])
async def test_R31_a_preflight_is_granted_to_a_listed_origin(pair, path):
    headers = {
        "Origin": ORIGIN,
        "Access-Control-Request-Method": "GET",
        "Access-Control-Request-Headers": "content-type",
    }
    for url in (pair.instances[0].url, pair.nginx.url):
        answer = await http.request("OPTIONS", url + path, headers=headers)
        assert answer.status == 204, f"{url}{path}: {answer.status}"
        allowed = answer.headers
        assert allowed["access-control-allow-origin"] == ORIGIN
        assert allowed["access-control-allow-credentials"] == "true"
        assert "content-type" in allowed["access-control-allow-headers"].lower()
        assert {"GET", "POST"} <= set(re.split(r"[ ,]+", allowed["access-control-allow-methods"]))
        assert int(allowed["access-control-max-age"]) > 0
        assert "origin" in allowed.get("vary", "").lower()


async def test_R31_answers_and_errors_carry_the_exact_origin(pair):
    for path in ("/api/health", "/api/all-rooms", "/api/nothing", "/socket.io/?EIO=4&transport=x"):
        answer = await http.get(pair.instances[0].url + path, headers={"Origin": ORIGIN})
        assert answer.headers.get("access-control-allow-origin") == ORIGIN, path
        assert answer.headers.get("access-control-allow-credentials") == "true", path


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example.com",
        "http://localhost:51730",
        "https://example.org.evil.com",
        "http://app.example.org",
        "null",
        "https://app.example.org:8443",
    ],
)
async def test_R31_another_origin_is_granted_nothing(pair, origin):
    headers = {"Origin": origin, "Access-Control-Request-Method": "GET"}
    for method in ("OPTIONS", "GET"):
        answer = await http.request(method, pair.instances[0].url + "/api/health", headers=headers)
        assert "access-control-allow-origin" not in answer.headers, f"{method} {origin}"


@pytest.mark.known_failure("C11")
async def test_C11_origins_with_a_wildcard_are_honoured(pair):
    origin = "https://app.example.org"
    answer = await http.get(pair.instances[0].url + "/api/health", headers={"Origin": origin})
    assert answer.headers["access-control-allow-origin"] == origin


async def test_metrics_are_prometheus_text(pair, people, room):
    await people.host(pair.instances[0].url, room)
    answer = await http.get(pair.instances[0].url + "/metrics")
    assert answer.status == 200 and answer.headers["content-type"].startswith("text/plain")
    types, names = {}, set()
    for line in answer.text.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name not in types, f"{name} is declared twice"
            assert kind in ("counter", "gauge", "histogram", "summary", "untyped")
            types[name] = kind
        elif line and not line.startswith("#"):
            assert SAMPLE.match(line), f"no sample: {line!r}"
            assert line not in names
            names.add(line)
    assert len(types) >= 10 and answer.text.endswith("\n")
    for line in names:
        base = re.sub(r"_(bucket|sum|count|total)$", "", re.split(r"[{ ]", line)[0])
        full = re.split(r"[{ ]", line)[0]
        assert full in types or base in types or base + "_total" in types, f"no TYPE for {line}"


@pytest.mark.known_failure("C60")
async def test_C60_stats_count_what_is_there(clusters, people, room):
    cluster = await clusters(instances=1, redis=False)
    url = cluster.instances[0].url
    host = await people.host(url, room)
    await people.guest(url, room)
    await people.room_client(url)

    async def counted():
        text = (await http.get(url + "/metrics")).text
        gauge = r"^\w*(sockets|connections|sessions)\w*(\{.*\})? 3(\.0)?$"
        return [line for line in text.splitlines() if re.match(gauge, line)]

    async def told():
        numbers = re.findall(r"\b\d+\b", str(await http.get_json(url + "/api/stats")))
        return {"1", "2", "3"} <= set(numbers)

    await eventually(counted, what="a gauge of three connections")
    await eventually(told, what="one room, two members, three connections")
    assert host.connected


async def test_the_root_is_a_page_for_people_whose_parts_are_there(pair):
    for url in (pair.instances[0].url, pair.nginx.url):
        answer = await http.get(url + "/")
        assert answer.status == 200 and answer.headers["content-type"].startswith("text/html")
        assert "/api/health" in answer.text
        parts = re.findall(r'="\./(assets/[^"]+)"', answer.text)
        assert "assets/main.js" in parts
        for part in parts:
            kept = (await http.get(f"{url}/{part}")).headers["etag"]
            again = await http.get(f"{url}/{part}", headers={"If-None-Match": kept})
            assert again.status == 304 and again.body == b"", part
        assert (await http.request("HEAD", url + "/assets/main.js")).body == b""
        for path in ("/assets/none.js", "/assets/", "/index.htm", "/socket.io/socket.io.js"):
            assert await http.status_of(url + path) in (400, 404), path


async def test_without_the_stock_client_its_path_says_what_to_do(pair):
    for url in (pair.instances[0].url, pair.nginx.url):
        answer = await http.get(url + "/socket.io/socket.io.min.js")
        assert answer.status == 404 and answer.json()["error"]["code"] == "CLIENT_MISSING"
        assert "scripts/fetch-client.sh" in answer.text


async def test_two_requests_on_one_connection_are_answered_in_order(pair):
    with socket.create_connection(("127.0.0.1", pair.instances[0].port), timeout=5) as wire:
        wire.sendall(
            b"GET /api/live HTTP/1.1\r\nHost: x\r\n\r\nGET /api/nothing HTTP/1.1\r\nHost: x\r\n"
            b"Connection: close\r\n\r\n"
        )
        text = wire.makefile("rb").read().decode()
    assert text.index("200 OK") < text.index("404 Not Found")


@pytest.mark.parametrize(
    "bytes_sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET\r\n\r\n",
        b"\r\n" * 1000,
        b"GET / HTTP/1.1\r\n" + b"A: " + b"x" * 100_000 + b"\r\n\r\n",
        b"GET /" + b"y" * 100_000 + b" HTTP/1.1\r\n\r\n",
        b"POST /api/health HTTP/1.1\r\nContent-Length: -5\r\n\r\n",
        b"POST /api/health HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n",
        b"POST /socket.io/?EIO=4 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzzz\r\n",
        b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
        b"Connection: Upgrade\r\nSec-WebSocket-Version: 7\r\nSec-WebSocket-Key: x\r\n\r\n",
    ],
    ids=[
        "tls",
        "no target",
        "blank lines",
        "long header",
        "long target",
        "negative length",
        "huge length",
        "bad chunk",
        "old websocket",
    ],
)
async def test_broken_http_is_survived(pair: Cluster, bytes_sent):
    with socket.create_connection(("127.0.0.1", pair.instances[0].port), timeout=5) as wire:
        wire.settimeout(2)
        try:
            wire.sendall(bytes_sent)
            first = wire.recv(4096)
        except (TimeoutError, ConnectionError):
            first = b""
    assert not first.startswith((b"HTTP/1.1 2", b"HTTP/1.1 1"))
    assert (await http.get(pair.instances[0].url + "/api/live")).status == 200
