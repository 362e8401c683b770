"""`snakemake` with a stand-in for a Kubernetes cluster: each pod is a process in an empty folder.

Two words of a pod's command are not for here: it would install the storage plugin, which is there, and its volumes are
folders of this machine.
"""

import json
import subprocess
import tempfile
from pathlib import Path
from types import SimpleNamespace

import kubernetes
from kubernetes import client
from snakemake.cli import main

PODS: dict[str, subprocess.Popen] = {}
FOLDER = Path(tempfile.mkdtemp(prefix="pods-"))


def create(api, namespace, body, **_):
    name, container = body.metadata.name, body.spec.template.spec.containers[0]
    (FOLDER / f"{name}.json").write_text(json.dumps(client.ApiClient().sanitize_for_serialization(body)))
    folder = FOLDER / name
    folder.mkdir()
    command = container.args[1].split("snakemake-storage-plugin-fs && ", 1)[1]
    with open(FOLDER / f"{name}.log", "w") as log:
        PODS[name] = subprocess.Popen(["/bin/sh", "-c", command], cwd=folder, stdout=log, stderr=log)
    return body


def status(api, name, namespace):
    code = PODS[name].poll()
    return SimpleNamespace(status=SimpleNamespace(failed=int(code not in (None, 0)), succeeded=int(code == 0)))


def delete(api, name, namespace, **_):
    PODS[name].kill()


kubernetes.config.load_kube_config = lambda: None
client.BatchV1Api.create_namespaced_job = create
client.BatchV1Api.read_namespaced_job_status = status
client.BatchV1Api.delete_namespaced_job = delete
client.CoreV1Api.list_namespaced_pod = lambda *_, **__: SimpleNamespace(items=[])
client.CoreV1Api.create_namespaced_secret = client.CoreV1Api.delete_namespaced_secret = lambda *_, **__: None

print(f"pods: {FOLDER}", flush=True)
main()
