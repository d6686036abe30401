"""A stand-in for the hub on this machine: the real clients ask it for small models and data sets of our own.

with Hub(folder) as hub:
    hub.add("datasets", "nyu-mll/glue", revision, files)
    environment = hub.environment(home)          # for a subprocess: clients read it when imported
"""

import hashlib
import json
import os
import socket
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

KINDS = ("models", "datasets")


class Hub:
    """A server of the repositories `<root>/<models or datasets>/<namespace>/<name>/<revision>/…`.

    Each repository has one revision, which is also its `main`. `requests` are the method and path of all that was
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
        folder = self.root / kind / name / revision
        for path, content in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(content.encode() if isinstance(content, str) else content)
        return folder

    def environment(self, home: Path) -> dict[str, str]:
        """Return the environment of a process whose hub this is, with a cache of its own in `home`."""
        return environment(self.url, home)

    def find(self, kind: str, name: str, revision: str) -> Path | str:
        """Return the folder of a repository at a revision, or the hub's code for what does not exist."""
        repository = self.root / kind / name
        if not repository.is_dir():
            return "RepoNotFound"
        (only,) = repository.iterdir()
        return only if revision in ("main", only.name) else "RevisionNotFound"


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


# What the stand-in holds: repositories of our own under the ids and in the layout of the real ones.

GLUE_LABELS = {"cola": ["unacceptable", "acceptable"], "rte": ["entailment", "not_entailment"], "stsb": None}
GLUE_TEXTS = {"cola": ("sentence",), "rte": ("sentence1", "sentence2"), "stsb": ("sentence1", "sentence2")}
SPLITS = {"train": 12, "validation": 6}


def glue_columns(config: str, split: str) -> dict[str, list]:
    """Return the rows of a split: real column names, sentences of our own."""
    n = SPLITS[split]
    texts = {c: [f"{split} {c} number {i} of {config} is here" for i in range(n)] for c in GLUE_TEXTS[config]}
    labels = [i % 2 for i in range(n)] if GLUE_LABELS[config] else [i % 6 - 0.5 * (i % 2) for i in range(n)]
    return {**texts, "label": labels, "idx": list(range(n))}


def glue_files() -> dict[str, bytes | str]:
    """Return the files of `nyu-mll/glue`: a README that states features, and a folder for each configuration."""
    import pyarrow as pa

    files: dict[str, bytes | str] = {"README.md": _readme()}
    for config in GLUE_LABELS:
        for split in SPLITS:
            table = pa.table(glue_columns(config, split))
            files[f"{config}/{split}-00000-of-00001.parquet"] = parquet_bytes(table)
    return files


def parquet_bytes(table: object) -> bytes:
    """Return a pyarrow table as the bytes of a parquet file."""
    import pyarrow as pa
    from pyarrow import parquet

    sink = pa.BufferOutputStream()
    parquet.write_table(table, sink)
    return sink.getvalue().to_pybytes()


def _readme() -> str:
    infos, configs = [], []
    for config, labels in GLUE_LABELS.items():
        features = [{"name": c, "dtype": "string"} for c in GLUE_TEXTS[config]]
        if labels:
            names = {str(i): name for i, name in enumerate(labels)}
            features.append({"name": "label", "dtype": {"class_label": {"names": names}}})
        else:
            features.append({"name": "label", "dtype": "float64"})
        features.append({"name": "idx", "dtype": "int64"})
        infos.append(
            {
                "config_name": config,
                "features": features,
                "splits": [{"name": s, "num_bytes": 1000, "num_examples": n} for s, n in SPLITS.items()],
            }
        )
        files = [{"split": s, "path": f"{config}/{s}-*"} for s in SPLITS]
        configs.append({"config_name": config, "data_files": files})
    head = json.dumps({"license": "other", "dataset_info": infos, "configs": configs}, indent=1)  # JSON is YAML
    return f"---\n{head}\n---\n# A stand-in for GLUE\n"


def bert_files(*, tokenizer: bool = True) -> dict[str, bytes | str]:
    """Return the files of a random BERT of 2 layers and 32 dimensions, with a vocabulary of its own.

    Without `tokenizer` there is no more than the vocabulary, as in old repositories.
    """
    words = "train validation sentence sentence1 sentence2 number of is here cola rte stsb a b c the".split()
    digits = [str(i) for i in range(10)] + [f"##{i}" for i in range(10)]
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words, *digits]
    config = {
        "architectures": ["BertModel"],
        "model_type": "bert",
        "vocab_size": len(vocabulary),
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 64,
        "max_position_embeddings": 64,
    }
    files: dict[str, bytes | str] = {
        "config.json": json.dumps(config),
        "vocab.txt": "\n".join(vocabulary) + "\n",
        "model.safetensors": _bert_weights(len(vocabulary)),
    }
    if tokenizer:
        files["tokenizer_config.json"] = json.dumps({"tokenizer_class": "BertTokenizer", "do_lower_case": True})
    return files


def _bert_weights(n_words: int) -> bytes:
    import numpy as np
    from safetensors.numpy import save

    linear = {"attention.self.query": (32, 32), "attention.self.key": (32, 32), "attention.self.value": (32, 32),
              "attention.output.dense": (32, 32), "intermediate.dense": (64, 32), "output.dense": (32, 64)}  # fmt: skip
    shapes = {
        f"embeddings.{n}_embeddings.weight": (k, 32)
        for n, k in (("word", n_words), ("position", 64), ("token_type", 2))
    }
    norms = ["embeddings.LayerNorm"]
    for layer in range(2):
        shapes |= {f"encoder.layer.{layer}.{name}.weight": shape for name, shape in linear.items()}
        norms += [f"encoder.layer.{layer}.{part}.LayerNorm" for part in ("attention.output", "output")]
    shapes["pooler.dense.weight"] = (32, 32)
    rng = np.random.default_rng(0)
    tensors = {name: rng.normal(0, 0.3, shape).astype(np.float32) for name, shape in shapes.items()}
    tensors |= {
        name.replace("weight", "bias"): np.zeros(t.shape[0], np.float32)
        for name, t in tensors.items()
        if "embeddings" not in name
    }
    for name in norms:
        tensors |= {f"{name}.weight": np.ones(32, np.float32), f"{name}.bias": np.zeros(32, np.float32)}
    return save(tensors, {"format": "pt"})
