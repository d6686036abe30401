"""The worker processes of a run let nobody in: what another user of the machine can reach refuses to speak."""

import asyncio
import os
import urllib.error
import urllib.request

import dask
import psutil
import pytest
from distributed import LocalCluster
from distributed.comm import connect
from distributed.security import Security

from cogbench import MissingData
from cogbench.workers import cluster


def listening():
    """The ports of this process and of its workers, each with the address that it is bound to."""
    here = psutil.Process()
    connections = [c for p in (here, *here.children(recursive=True)) for c in p.net_connections("inet")]
    return {c.laddr.port: c.laddr.ip for c in connections if c.status == psutil.CONN_LISTEN}


def speak(address, security):
    """Ask a process of dask who it is; an error where it does not answer."""

    async def ask():
        comm = await connect(address, timeout=0.5, **(security.get_connection_args("client") if security else {}))
        await comm.write({"op": "identity", "reply": True})
        return await comm.read()

    return asyncio.run(asyncio.wait_for(ask(), 2))


def test_a_client_without_the_key_of_a_run_is_refused_at_every_port():
    before, stranger = listening(), Security.temporary()
    with cluster.client_of(1, None) as (client, _):
        ports = {port: ip for port, ip in listening().items() if port not in before}
        assert len(ports) >= 3 and {*ports.values()} == {cluster.HOST}  # scheduler, nanny, worker, and their pages
        workers = client.scheduler_info()["workers"]
        addresses = [client.scheduler.address, *workers, *(info["nanny"] for info in workers.values())]
        assert len({*addresses}) == 3 and {address.partition(":")[0] for address in addresses} == {"tls"}
        for port in ports:
            for address, security in ((f"tcp://127.0.0.1:{port}", None), (f"tls://127.0.0.1:{port}", stranger)):
                with pytest.raises((OSError, ValueError, RuntimeError)):
                    speak(address, security)
        assert speak(client.scheduler.address, client.security)  # whoever has the key is answered
        assert client.submit(os.getpid).result() != os.getpid()  # and the run goes on


def test_the_pages_of_a_run_say_nothing_of_it():
    before = listening()
    pages = ("/info/main/workers.html", "/json/counts.json", "/metrics", "/health")
    with cluster.client_of(1, None):
        for port in listening().keys() - before.keys():
            for page in pages:
                with pytest.raises((OSError, ValueError)) as refused:
                    urllib.request.urlopen(f"http://127.0.0.1:{port}{page}", timeout=5)
                assert not isinstance(refused.value, urllib.error.HTTPError) or refused.value.code == 404


def test_an_encrypted_scheduler_is_used_with_dasks_own_settings_and_named_without_them(tmp_path):
    security = Security.temporary()
    files = {name: tmp_path / f"{name}.pem" for name in ("ca", "cert", "key")}
    files["ca"].write_text(security.tls_ca_file)
    files["cert"].write_text(security.tls_client_cert)
    files["key"].write_text(security.tls_client_key)
    settings = {
        "distributed.comm.tls.ca-file": str(files["ca"]),
        "distributed.comm.tls.client.cert": str(files["cert"]),
        "distributed.comm.tls.client.key": str(files["key"]),
    }
    with LocalCluster(n_workers=0, security=security, protocol="tls://", dashboard_address=None) as scheduler:
        with dask.config.set(settings):
            assert cluster.count(scheduler.scheduler_address) == 0
        with pytest.raises(MissingData, match=r"distributed.comm.tls \(docs/cluster.md\)"):
            cluster.count(scheduler.scheduler_address)
    with (
        pytest.raises(MissingData, match="encrypted one takes an address tls"),
        dask.config.set({"distributed.comm.require-encryption": True}),
    ):
        cluster.count("tcp://127.0.0.1:1")
