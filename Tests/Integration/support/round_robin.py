"""A real nginx as people write it by hand: each request to the next instance, whoever asks."""

import os
import shutil
import socket
from pathlib import Path

from .ports import free_port
from .processes import Cluster, Process
from .waiting import eventually

CONFIGURATION = """
{user}
daemon off;
worker_processes 1;
pid {folder}/round-robin.pid;
error_log stderr warn;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_body_temp_path {folder}/tmp-body;
    proxy_temp_path {folder}/tmp-proxy;
    fastcgi_temp_path {folder}/tmp-fastcgi;
    uwsgi_temp_path {folder}/tmp-uwsgi;
    scgi_temp_path {folder}/tmp-scgi;
    upstream instances {{ {servers} }}
    # Nothing but the proxying: HTTP/1.0 to the instances, no WebSocket.
    server {{
        listen 127.0.0.1:{plain_port};
        location / {{ proxy_pass http://instances; }}
    }}
    server {{
        listen 127.0.0.1:{upgrading_port};
        client_max_body_size 20m;
        location / {{
            proxy_pass http://instances;
            proxy_http_version 1.1;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection "upgrade";
        }}
    }}
}}
"""


class RoundRobin(Process):
    """nginx before all instances of a cluster. `url` speaks HTTP only, `upgrading_url` WebSocket
    too."""

    def __init__(self, cluster: Cluster, folder: Path):
        super().__init__("round-robin", folder, parent_death_signal="TERM")
        self.cluster = cluster
        self.plain_port = free_port()
        self.upgrading_port = free_port()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.plain_port}"

    @property
    def upgrading_url(self) -> str:
        return f"http://127.0.0.1:{self.upgrading_port}"

    async def start(self) -> "RoundRobin":
        # As root, nginx would become another user, who may not write in our folder.
        user = "user root;" if os.geteuid() == 0 else ""
        servers = " ".join(f"server {one.upstream};" for one in self.cluster.instances)
        configuration = self.folder / "round-robin.conf"
        configuration.write_text(
            CONFIGURATION.format(
                user=user,
                folder=self.folder,
                servers=servers,
                plain_port=self.plain_port,
                upgrading_port=self.upgrading_port,
            )
        )
        program = shutil.which("nginx") or "/usr/sbin/nginx"
        self.spawn([program, "-p", self.folder, "-c", configuration])
        await eventually(self.listens, 10, what="nginx listens")
        return self

    def listens(self) -> bool:
        assert self.running, f"nginx ended with {self.exit_code}:\n{self.log_text()}"
        try:
            socket.create_connection(("127.0.0.1", self.upgrading_port), timeout=1).close()
        except OSError:
            return False
        return True
