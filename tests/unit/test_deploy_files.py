"""Compose, Helm and systemd files say what the project understands; none of them is started."""

import re
import shlex
import shutil
import subprocess

import pytest
import yaml
from typer.main import get_command

from latent_assets.cli.app import app
from latent_assets.settings import Settings
from latent_assets.shipped import PROJECT_ROOT

DEPLOY = PROJECT_ROOT / "deploy"
VALUES = yaml.safe_load((DEPLOY / "helm" / "values.yaml").read_text())
MANIFESTS = list(yaml.safe_load_all((DEPLOY / "helm" / "workers.yaml").read_text()))
PODS = {
    each["metadata"]["name"]: each["spec"]["template"]["spec"]
    for each in MANIFESTS
    if each["kind"] == "Deployment"
}
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
OURS = {name: one for name, one in COMPOSE["services"].items() if one["image"] == "latent-assets"}
VARIABLE = re.compile(r"\$\{(\w+)(?::?[-?][^}]*)?\}")


def examples():
    lines = (DEPLOY / "cluster.env.example").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def check_command(words):
    command = get_command(app).commands[words[0]]
    command.make_context(words[0], words[1:])


@pytest.mark.parametrize("name", sorted(OURS))
def test_each_container_of_ours_starts_a_command_with_options_that_there_are(name):
    check_command([VARIABLE.sub("localhost", word) for word in OURS[name]["command"]])


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_each_unit_starts_a_command_with_options_that_there_are(unit):
    (line,) = re.findall(r"^ExecStart=(.*)$", unit.read_text(), re.MULTILINE)
    program, *words = shlex.split(line.replace("%i", "0"))
    assert program.endswith("/latent-assets")
    check_command(words)


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="there is no systemd")
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_systemd_finds_nothing_wrong_with_a_unit(tmp_path, unit):
    # The program is not installed here, nor is its user: systemd is asked about all else.
    text = re.sub(r"/opt/latent-assets/bin/latent-assets", "/bin/true", unit.read_text())
    copy = tmp_path / unit.name.replace("@", "@0")
    copy.write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(copy)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    said = [line for line in done.stderr.splitlines() if unit.stem.partition("@")[0] in line]
    assert said == []


def test_the_settings_of_all_containers_are_settings_and_none_holds_a_secret():
    known = {f"LATENT_ASSETS_{name.upper()}" for name in Settings.__dataclass_fields__}
    for one in OURS.values():
        said = one["environment"]
        assert {name for name in said if name.startswith("LATENT_ASSETS_")} <= known
    for name, one in COMPOSE["services"].items():
        for variable, value in one["environment"].items():
            secret = re.search("PASSWORD|SECRET|BROKER|DATABASE", variable)
            assert not secret or VARIABLE.fullmatch(value), (name, variable)


def test_every_variable_without_a_default_is_in_the_example_which_is_a_deployment():
    text = (DEPLOY / "compose.yaml").read_text()
    needed = set(re.findall(r"\$\{(\w+):\?", text))
    there = examples()
    assert needed <= there.keys()
    settings = Settings.from_environment(
        {name: value for name, value in there.items() if name.startswith("LATENT_ASSETS_")}
    )
    assert settings.executor == "celery"
    assert there["REDIS_PASSWORD"] in settings.broker
    assert there["POSTGRES_PASSWORD"] in settings.database


def test_what_waits_for_another_waits_for_one_that_says_when_it_is_ready():
    services = COMPOSE["services"]
    for one in OURS.values():
        for other, how in one["depends_on"].items():
            assert how["condition"] == "service_healthy"
            assert services[other]["healthcheck"]["test"]
    (gpu,) = OURS["worker-gpu-0"]["deploy"]["resources"]["reservations"]["devices"]
    assert (gpu["driver"], gpu["capabilities"]) == ("nvidia", ["gpu"])


KEYS_OF_THE_CHART = {
    (): {
        *("dagsterWebserver", "dagster-user-deployments", "postgresql", "rabbitmq", "redis"),
        *("generatePostgresqlPasswordSecret", "generateCeleryConfigSecret", "flower", "ingress"),
        *("imagePullSecrets", "computeLogManager", "scheduler", "runLauncher", "pythonLogs"),
        *("dagsterDaemon", "busybox", "migrate", "telemetry", "serviceAccount", "global"),
        *("retention", "concurrency", "additionalInstanceConfig"),
    },
    ("global",): {"postgresqlSecretName", "dagsterHome", "serviceAccountName"},
    ("postgresql",): {
        *("enabled", "image", "postgresqlScheme", "postgresqlHost", "postgresqlUsername"),
        *("postgresqlDatabase", "postgresqlParams", "service"),  # no password
    },
    ("dagsterDaemon",): {
        *("enabled", "image", "runCoordinator", "env", "envConfigMaps", "envSecrets"),
        *("nodeSelector", "tolerations", "resources", "runMonitoring", "runRetries"),
    },
    ("dagsterDaemon", "runCoordinator", "config", "queuedRunCoordinator"): {
        *("maxConcurrentRuns", "tagConcurrencyLimits", "dequeueIntervalSeconds"),
    },
    ("dagster-user-deployments",): {
        *("enabled", "enableSubchart", "imagePullSecrets", "deployments"),
    },
    ("dagster-user-deployments", "deployments", 0): {
        *("name", "image", "port", "dagsterApiGrpcArgs", "includeConfigInLaunchedRuns", "env"),
        *("envConfigMaps", "envSecrets", "nodeSelector", "tolerations", "resources"),
        *("volumeMounts", "volumes"),
    },
    ("runLauncher",): {"type", "config"},
    ("runLauncher", "config", "k8sRunLauncher"): {
        *("imagePullPolicy", "envConfigMaps", "envSecrets", "volumeMounts", "volumes"),
        *("resources", "runK8sConfig"),
    },
    ("runLauncher", "config", "k8sRunLauncher", "runK8sConfig"): {
        *("containerConfig", "podSpecConfig", "podTemplateSpecMetadata", "jobSpecConfig"),
    },
}


@pytest.mark.parametrize("path", KEYS_OF_THE_CHART, ids=lambda path: ".".join(map(str, path)))
def test_the_values_are_those_that_dagsters_chart_knows(path):
    found = VALUES
    for step in path:
        found = found[step]
    assert set(found) <= KEYS_OF_THE_CHART[path]


def test_the_chart_is_of_the_version_of_dagster():
    chart = re.search(r"--version ([\d.]+)", (DEPLOY / "helm" / "values.yaml").read_text())
    assert f"\ndagster=={chart[1]}\n" in (PROJECT_ROOT / "constraints.txt").read_text()


def test_pods_start_commands_that_there_are_with_settings_that_there_are_and_no_secret():
    known = {f"LATENT_ASSETS_{name.upper()}" for name in Settings.__dataclass_fields__}
    (code,) = VALUES["dagster-user-deployments"]["deployments"]
    plain = {each["name"]: each["value"] for each in code["env"]}
    (settings,) = [each["data"] for each in MANIFESTS if each["kind"] == "ConfigMap"]
    assert plain == settings  # runs and workers say the same
    assert plain.keys() <= known
    secrets = {
        **plain,
        "LATENT_ASSETS_BROKER": "redis://h/0",
        "LATENT_ASSETS_DATABASE": "postgresql://h/d",
    }
    assert Settings.from_environment(secrets).executor == "celery"
    for name, pod in PODS.items():
        (container,) = pod["containers"]
        if name == "latent-assets-redis":
            (password,) = container["env"]
            assert set(password) == {"name", "valueFrom"}
            continue
        assert container["command"] == ["latent-assets"]
        check_command(container["args"])
        assert container["image"] == ":".join([code["image"]["repository"], code["image"]["tag"]])
        assert {next(iter(each)) for each in container["envFrom"]} == {"configMapRef", "secretRef"}
    text = (DEPLOY / "helm" / "values.yaml").read_text() + str(MANIFESTS)
    assert not re.search(r"[Pp]assword['\"]?: ['\"]?\w|://[^/@ ]*:[^/@ ]*@", text)


def test_each_kind_of_gpu_has_a_queue_a_node_and_one_gpu_a_pod():
    queues = {}
    for name, pod in PODS.items():
        (container,) = pod["containers"]
        gpus = container["resources"]["limits"].get("nvidia.com/gpu", 0)
        args = container.get("args", [])
        served = {args[i + 1] for i, word in enumerate(args) if word == "--queue"}
        assert (gpus == 1) == any(queue.startswith("gpu") for queue in served), name
        if gpus:
            assert pod["nodeSelector"]
            assert any(each["key"] == "nvidia.com/gpu" for each in pod["tolerations"])
        if served:
            assert pod["terminationGracePeriodSeconds"] >= 60
        queues |= dict.fromkeys(served, name)
    assert queues.keys() >= {"cpu", "gpu", "gpu-a100"}


def test_each_service_finds_pods_that_listen_there():
    for service in (each for each in MANIFESTS if each["kind"] == "Service"):
        (pod,) = [
            each["spec"]["template"]
            for each in MANIFESTS
            if each["kind"] == "Deployment"
            and each["spec"]["selector"]["matchLabels"] == service["spec"]["selector"]
        ]
        (port,) = service["spec"]["ports"]
        (listens,) = pod["spec"]["containers"][0]["ports"]
        assert listens["containerPort"] == port.get("targetPort", port["port"])
        assert pod["metadata"]["labels"] == service["spec"]["selector"]


def test_the_image_starts_what_it_is_told_to_start():
    text = (DEPLOY / "Dockerfile").read_text()
    # Dagster's chart gives the whole command: an entrypoint would take it for options.
    assert "ENTRYPOINT" not in text
    (command,) = re.findall(r"^CMD (.*)$", text, re.MULTILINE)
    program, *words = yaml.safe_load(command)
    assert program == "latent-assets"
    check_command(words)
    assert all(one["entrypoint"] == ["latent-assets"] for one in OURS.values())
