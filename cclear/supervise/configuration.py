"""The files that the parts of `make run` read: made from the layout at every start."""

from __future__ import annotations

import json
import os
import shlex
from pathlib import Path

from cclear import data_dir
from cclear.environment import ROOT
from cclear.services.account import Account
from cclear.services.sockets import make_socket_folder
from cclear.supervise.layout import Layout, NodeLayout
from cclear.supervise.processes import GROUPS, Process, processes

# Enough for hours of the lab's traffic on a laptop's disk.
PACKETS_BYTES = 4 * 1024**3

_MADE = "# Made by `make run` at every start.\n"


def write(layout: Layout) -> Path:
    """Write all files; the path of supervisor's own."""
    for name in ("config", "logs", "secrets"):
        data_dir.folder(layout.data / name)
    for node in layout.nodes:
        data_dir.secret(layout.token_file(node))
        _write(layout, f"{node.name}.toml", _node(layout, node))
    _write(layout, "cvu.toml", _broker(layout))
    return _write(layout, "supervisord.conf", _supervisor(layout))


def control_socket(layout: Layout) -> Path:
    return make_socket_folder(layout.data, Account.of_servers(layout.data)) / "supervisor.sock"


def _write(layout: Layout, name: str, text: str) -> Path:
    path = layout.data / "config" / name
    data_dir.write_private(path, text, replace=True)
    return path


def _node(layout: Layout, node: NodeLayout) -> str:
    return (
        f"{_MADE}"
        f"name = {_toml(node.name)}\n"
        f"store = {_toml(layout.data / node.name)}\n"
        f"listen = {_toml(node.api)}\n"
        f"token_file = {_toml(layout.token_file(node))}\n"
        f"\n[[source]]\n"
        f'kind = "vxlan"\n'
        f"listen = {_toml(node.mirror)}\n"
        f"\n[retention]\n"
        f"packets_bytes = {PACKETS_BYTES}\n"
    )


def _broker(layout: Layout) -> str:
    outputs = "".join(
        f'\n[[output]]\nname = {_toml(node.name)}\nkind = "cstor"\nto = {_toml(node.mirror)}\n' for node in layout.nodes
    )
    names = ", ".join(_toml(node.name) for node in layout.nodes)
    listens = f"listen = {_toml(layout.broker)}\nhttp = {_toml(layout.broker_api)}\n"
    return f"{_MADE}{listens}{outputs}\n[[rule]]\nbalance = [{names}]\n"


def _toml(value: object) -> str:
    # A JSON string is a TOML basic string.
    return json.dumps(str(value))


def _supervisor(layout: Layout) -> str:
    logs, socket = layout.data / "logs", control_socket(layout)
    sections: dict[str, dict[str, object]] = {
        "unix_http_server": {"file": socket, "chmod": "0700"},
        "supervisord": {
            "nodaemon": "true",
            "silent": "true",
            "logfile": logs / "supervisord.log",
            "logfile_maxbytes": "10MB",
            "pidfile": layout.data / "config" / "supervisord.pid",
            "childlogdir": logs,
            "umask": "077",
        },
        "rpcinterface:supervisor": {
            "supervisor.rpcinterface_factory": "supervisor.rpcinterface:make_main_rpcinterface",
        },
    }
    if os.geteuid() == 0:
        # It would warn otherwise: capture on interfaces needs root anyway.
        sections["supervisord"]["user"] = "root"
    sections |= _groups(processes(layout))
    sections |= {f"program:{process.name}": _program(process, logs) for process in processes(layout)}
    text = "".join(
        f"\n[{name}]\n" + "".join(f"{key}={_escape(value)}\n" for key, value in values.items())
        for name, values in sections.items()
    )
    return _MADE.replace("#", ";") + text


def _groups(members: list[Process]) -> dict[str, dict[str, object]]:
    groups = {group: [process.name for process in members if process.group == group] for group in GROUPS}
    return {
        f"group:{group}": {"programs": ",".join(names), "priority": GROUPS.index(group)}
        for group, names in groups.items()
        if names
    }


def _program(process: Process, logs: Path) -> dict[str, object]:
    return {
        "command": shlex.join(process.command),
        "directory": ROOT,
        "autorestart": "true",
        # Each failed start waits a second longer than the one before; the watch tries anew after that.
        "startsecs": 5,
        "startretries": 10,
        "stopsignal": "TERM",
        "stopwaitsecs": process.stop_s,
        "killasgroup": "true",
        "stdout_logfile": logs / f"{process.name}.log",
        "stdout_logfile_maxbytes": "10MB",
        "stdout_logfile_backups": 3,
        "redirect_stderr": "true",
    }


def _escape(value: object) -> str:
    # supervisor expands %(names)s.
    return str(value).replace("%", "%%")
