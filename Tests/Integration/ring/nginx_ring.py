"""nginx with several upstreams of `hash … consistent`, whose servers live in the same process.

Each server answers with its own name, so an answer tells which server nginx chose for the key.
"""

import http.client
import os
import shutil
import socket
import time
from dataclasses import dataclass, field
from pathlib import Path

from support.ports import free_port
from support.processes import Process


@dataclass
class Server:
    name: str  # as the `server` line spells it
    weight: int = 1
    down: bool = False

    @property
    def line(self) -> str:
        weight = f" weight={self.weight}" if self.weight != 1 else ""
        return f"server {self.name}{weight} max_fails=0{' down' if self.down else ''};"

    @property
    def listens(self) -> list[str]:
        """Every address behind the name, since nginx uses any of them."""
        if self.name.startswith("unix:"):
            return [self.name]
        host, port = self.name.rsplit(":", 1)
        found = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
        addresses = {(family, where[0]) for family, _, _, _, where in found}
        return [
            f"[{address}]:{port}" if family == socket.AF_INET6 else f"{address}:{port}"
            for family, address in sorted(addresses)
        ]


@dataclass
class Case:
    name: str
    servers: list[Server] = field(default_factory=list)

    @property
    def nodes(self) -> str:
        """The same servers for `tandem ring --nodes`."""
        return ",".join(
            one.name + (f"={one.weight}" if one.weight != 1 else "") for one in self.servers
        )

    @property
    def down(self) -> str:
        return ",".join(one.name for one in self.servers if one.down)


class NginxRing(Process):
    def __init__(self, folder: Path, cases: list[Case]):
        super().__init__("nginx-ring", folder, parent_death_signal="TERM")
        self.cases = cases
        self.port = free_port()
        self.configuration = folder / "nginx.conf"

    def write(self):
        self.configuration.write_text(self._text())

    def start(self):
        self.write()
        program = shutil.which("nginx") or "/usr/sbin/nginx"
        self.spawn([program, "-p", self.folder, "-c", self.configuration])
        end = time.monotonic() + 10
        while not self._answers():
            assert self.running, f"nginx ended with {self.exit_code}:\n{self.log_text()}"
            assert time.monotonic() < end, "nginx does not answer"
            time.sleep(0.02)

    def _answers(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            return True
        except OSError:
            return False

    def owners(self, case: Case, keys: list[str]) -> dict[str, str]:
        """The server that nginx picks for each key, all asked over one connection."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        owners = {}
        try:
            for key in keys:
                connection.request("GET", f"/{case.name}?roomId={key}")
                answer = connection.getresponse()
                body = answer.read().decode()
                assert answer.status == 200, f"nginx answered {answer.status} for {key}: {body}"
                owners[key] = body
        finally:
            connection.close()
        return owners

    def _text(self) -> str:
        upstreams, locations, names = [], [], {}
        for case in self.cases:
            lines = "\n".join(f"        {one.line}" for one in case.servers)
            method = "        hash $arg_roomId consistent;"
            upstreams.append(f"    upstream {case.name} {{\n{method}\n{lines}\n    }}")
            locations.append(
                f"        location = /{case.name} {{ proxy_pass http://{case.name}; }}"
            )
            names |= {one.name: one for one in case.servers if not one.down}
        servers = "\n".join(
            "    server {\n"
            + "".join(f"        listen {address};\n" for address in one.listens)
            + f'        return 200 "{one.name}";\n    }}'
            for one in names.values()
        )
        temporary = "\n".join(
            f"    {kind}_temp_path {self.folder}/{kind};"
            for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        # A root nginx would run its worker as somebody who may not open the sockets of the test.
        user = "user root;\n" if os.geteuid() == 0 else ""
        return f"""{user}daemon off;
worker_processes 1;
pid {self.folder}/nginx-ring.pid;
error_log {self.folder}/error.log warn;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    default_type text/plain;
    proxy_next_upstream off;
{temporary}
{chr(10).join(upstreams)}
    server {{
        listen 127.0.0.1:{self.port};
        keepalive_requests 1000000;
{chr(10).join(locations)}
    }}
{servers}
}}
"""
