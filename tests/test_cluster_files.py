"""Files for clusters that can't be started here are at least what their readers accept."""

import subprocess
from pathlib import Path

import yaml
from ray.autoscaler._private.util import prepare_config, validate_config

ROOT = Path(__file__).parents[1]
CLUSTER = ROOT / "docs" / "cluster"


def test_ray_up_accepts_its_file():
    config = prepare_config(yaml.safe_load((CLUSTER / "ray-up.yaml").read_text(encoding="utf-8")))
    validate_config(config)
    assert config["max_workers"] == len(config["provider"]["worker_ips"])


def test_kuberay_and_slurm_are_well_formed():
    cluster = yaml.safe_load((CLUSTER / "kuberay.yaml").read_text(encoding="utf-8"))
    groups = [cluster["spec"]["headGroupSpec"], *cluster["spec"]["workerGroupSpecs"]]
    for each in (group["template"]["spec"] for group in groups):
        mounted = {mount["name"] for container in each["containers"] for mount in container["volumeMounts"]}
        assert mounted == {volume["name"] for volume in each["volumes"]}
    subprocess.run(["bash", "-n", str(CLUSTER / "slurm.sh")], check=True)


def test_compose_names_only_services_secrets_and_volumes_that_it_has():
    compose = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
    assert {"postgres", "mlflow", "head", "worker", "clone"} == set(compose["services"])
    for service in compose["services"].values():
        assert set(service.get("depends_on", ())) <= set(compose["services"])
        assert set(service["secrets"]) <= set(compose["secrets"])
        assert {volume.partition(":")[0] for volume in service.get("volumes", ())} <= set(compose["volumes"])
