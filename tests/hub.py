"""A stand-in for the hub on this machine: the real clients ask it for small models and data sets of our own.

with Hub(folder) as hub:
    hub.add("datasets", "nyu-mll/glue", revision, files)     # what there is to add stands in repositories.py
    environment = hub.environment(home)                      # for a subprocess: clients read it when imported
"""

import hashlib
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

KINDS = ("models", "datasets")


class Hub:
    """A server of the repositories `<root>/<models or datasets>/<namespace>/<name>/<revision>/…`.

    The revision that was added last is a repository's `main`. `requests` are the method and path of all that was
    asked, in their order.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.requests: list[str] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self.port = self._server.server_port
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> "Hub":
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Answer no more."""
        self._server.shutdown()
        self._server.server_close()

    def add(self, kind: str, name: str, revision: str, files: Mapping[str, bytes | str]) -> Path:
        """Write a repository; return its folder."""
        return self.write(self.root, kind, name, revision, files)

    @staticmethod
    def write(root: Path, kind: str, name: str, revision: str, files: Mapping[str, bytes | str]) -> Path:
        """Write a repository into the folder of a hub that is yet to be started."""
        folder = root / kind / name / revision
        for path, content in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(content.encode() if isinstance(content, str) else content)
        (folder.parent / "main").write_text(revision)
        return folder

    def environment(self, home: Path) -> dict[str, str]:
        """Return the environment of a process whose hub this is, with a cache of its own in `home`."""
        return environment(self.url, home)

    def find(self, kind: str, name: str, revision: str) -> Path | str:
        """Return the folder of a repository at a revision, or the hub's code for what does not exist."""
        repository = self.root / kind / name
        if not repository.is_dir():
            return "RepoNotFound"
        main = repository / "main"
        folder = repository / (main.read_text() if revision == "main" else revision)
        return folder if folder.is_dir() else "RevisionNotFound"


def environment(url: str, home: Path) -> dict[str, str]:
    """Return this process's environment, but with the hub at `url`, a cache in `home`, and nothing set offline."""
    unwanted = ("HF_", "TRANSFORMERS_", "COGBENCH_")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(unwanted) and "proxy" not in k.lower()}
    return {
        **kept,
        "HF_ENDPOINT": url,
        "HF_HOME": str(home / "hf"),
        "COGBENCH_HOME": str(home / "cogbench"),
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "OMP_NUM_THREADS": "1",
    }


class Closing:
    """A port that takes connections and closes them at once, like a proxy that lets nothing through; it counts them."""

    def __init__(self, port: int = 0) -> None:
        self.connections = 0
        self._socket = socket.create_server(("127.0.0.1", port))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    def __enter__(self) -> "Closing":
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.connections += 1
            connection.close()


# Asked in a process whose environment names our hub, for the clients read that when they are imported. Importing them
# takes seconds: each question is answered by a fork, which knows nothing of the one before.
ANSWERING = """
import gc, os, sys
import datasets
from cogbench import CogbenchError, Files, fetch, load_parts
from transformers import AutoModel, AutoTokenizer, Trainer
from transformers.models.bert import modeling_bert

load_parts()
gc.freeze()

for file in sys.stdin:
    child = os.fork()
    if not child:
        exec(open(file.strip()).read(), {"__name__": "__main__"})
        sys.stdout.flush()
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class Machine:
    """A process on a fresh machine, that answers questions: code, after a `preamble`, that fills `answers`."""

    def __init__(self, env: Mapping[str, str], folder: Path, preamble: str = "") -> None:
        self.folder, self.preamble = folder, f"import json\nanswers = {{}}\n{preamble}"
        with (folder / "stderr").open("w") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-c", ANSWERING],
                env=env,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )

    def ask(self, code: str) -> dict[str, Any]:
        """Run code in a fork; return its `answers`."""
        assert self.process.stdin and self.process.stdout
        out, script = self.folder / "answers.json", self.folder / "script.py"
        script.write_text(f"{self.preamble}\n{code}\nopen({str(out)!r}, 'w').write(json.dumps(answers))")
        self.process.stdin.write(f"{script}\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline().strip() == "0", (self.folder / "stderr").read_text()
        return json.loads(out.read_text())

    def __enter__(self) -> "Machine":
        return self

    def __exit__(self, *_: object) -> None:
        assert self.process.stdin and self.process.stdout
        self.process.stdin.close()
        self.process.wait(timeout=30)
        self.process.stdout.close()


def _handler(hub: Hub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer()

        do_HEAD = do_GET

        def log_message(self, *_: object) -> None:
            pass

        def _answer(self) -> None:
            hub.requests.append(f"{self.command} {unquote(self.path)}")
            parts = unquote(urlsplit(self.path).path).strip("/").split("/")
            if parts == [""]:
                self._send(200, b"", {})
            elif parts[0] == "api" and parts[1] in KINDS and len(parts) >= 4:
                self._api(parts[1], "/".join(parts[2:4]), parts[4:])
            elif parts[0] == "datasets" and parts[3:4] == ["resolve"]:
                self._file("datasets", "/".join(parts[1:3]), parts[4], parts[5:])
            elif parts[2:3] == ["resolve"]:
                self._file("models", "/".join(parts[:2]), parts[3], parts[4:])
            else:
                self._missing("EntryNotFound")

        def _api(self, kind: str, name: str, rest: list[str]) -> None:
            what, revision, *below = [*rest, "main"] if len(rest) < 2 else rest
            folder = hub.find(kind, name, revision if rest else "main")
            if isinstance(folder, str):
                return self._missing(folder)
            if what == "tree":
                return self._tree(folder, folder.joinpath(*below))
            files = [{"rfilename": str(p.relative_to(folder))} for p in folder.rglob("*") if p.is_file()]
            self._json({"id": name, "sha": folder.name, "siblings": files, "private": False, "tags": []})

        def _tree(self, folder: Path, below: Path) -> None:
            if not below.is_dir():
                return self._missing("EntryNotFound")
            found = sorted(below.rglob("*") if "recursive=true" in self.path.lower() else below.iterdir())
            self._json(
                [
                    {
                        "type": "file" if p.is_file() else "directory",
                        "path": str(p.relative_to(folder)),
                        "size": p.stat().st_size if p.is_file() else 0,
                        "oid": _etag(p) if p.is_file() else "0" * 40,
                    }
                    for p in found
                ]
            )

        def _file(self, kind: str, name: str, revision: str, path: list[str]) -> None:
            folder = hub.find(kind, name, revision)
            if isinstance(folder, str):
                return self._missing(folder)
            file = folder.joinpath(*path)
            if not file.is_file():
                return self._missing("EntryNotFound", {"X-Repo-Commit": folder.name})
            self._send(200, file.read_bytes(), {"ETag": f'"{_etag(file)}"', "X-Repo-Commit": folder.name})

        def _json(self, value: object) -> None:
            self._send(200, json.dumps(value).encode(), {"Content-Type": "application/json"})

        def _missing(self, code: str, more: Mapping[str, str] | None = None) -> None:
            self._send(404, b'{"error": "not found"}', {"X-Error-Code": code, **(more or {})})

        def _send(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

    return Handler


def _etag(file: Path) -> str:
    return hashlib.sha1(file.read_bytes()).hexdigest()
