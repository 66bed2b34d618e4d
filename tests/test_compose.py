"""compose.yaml: valid, complete, and what it starts works."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from videoflix.settings import Settings, read_settings
from videoflix.worker import ROLES

ROOT = Path(__file__).parents[1]
FILE = ROOT / "compose.yaml"


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(FILE.read_text())
    return found


def test_it_is_what_the_compose_specification_describes() -> None:
    check = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    done = subprocess.run([*check, str(FILE)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_every_service_is_limited_and_the_essential_ones_are_watched(
    compose: dict[str, Any],
) -> None:
    services = compose["services"]
    for name, service in services.items():
        assert {"cpus", "memory"} <= set(service["deploy"]["resources"]["limits"]), name
        assert service["networks"] == ["inside"], name
    assert services["db"]["healthcheck"]
    assert services["api-1"]["healthcheck"]
    assert services["api-1"]["command"] == services["api-2"]["command"]
    assert {name for name, service in services.items() if "profiles" in service} == {"mail", "s3"}


def test_it_uses_nothing_that_podman_compose_lacks(compose: dict[str, Any]) -> None:
    services = compose["services"]
    for name, service in services.items():
        assert isinstance(service.get("depends_on", []), list), f"{name}: no conditions"
        assert "replicas" not in service["deploy"], name
        assert all(isinstance(file, str) for file in service.get("env_file", [])), name
    assert [name for name, service in services.items() if "build" in service] == ["api-1"]


def test_no_service_has_more_rights_than_it_needs(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["read_only"] is True, name
        assert "/tmp" in service["tmpfs"], name
        assert service["deploy"]["resources"]["limits"]["pids"] > 0, name
        assert not service.get("privileged"), name
        if service["image"] == "videoflix":
            assert "cap_add" not in service, name
    image = (ROOT / "Containerfile").read_text()
    assert re.search(r"^USER videoflix$", image, re.MULTILINE)


def test_the_application_is_no_administrator_of_the_database(compose: dict[str, Any]) -> None:
    database = compose["services"]["db"]
    assert database["environment"]["POSTGRES_USER"] == "postgres"
    role = (ROOT / "scripts" / "database_role.sh").read_text()
    for right in ("nosuperuser", "nocreatedb", "nocreaterole", "noreplication"):
        assert right in role
    for service in compose["services"].values():
        if service["image"] == "videoflix":
            assert "postgres_admin_password" not in service["secrets"]


def test_plain_commands_find_the_application(database: None) -> None:
    """`litestar` and `procrastinate` without --app, in the image and by .env.template."""
    assignment = re.compile(r"^[ #]*(LITESTAR_APP|PROCRASTINATE_APP)=(\S+)", re.MULTILINE)
    image = dict(assignment.findall((ROOT / "Containerfile").read_text()))
    assert image == dict(assignment.findall((ROOT / ".env.template").read_text()))
    assert set(image) == {"LITESTAR_APP", "PROCRASTINATE_APP"}
    for command, words in (
        (["litestar", "--help"], ["migrate", "doctor", "users"]),
        (["procrastinate", "healthchecks"], ["App configuration: OK", "DB connection: OK"]),
    ):
        program = Path(sys.executable).with_name(command[0])
        done = subprocess.run(
            [str(program), *command[1:]], env=os.environ | image, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        for word in words:
            assert re.search(word, done.stdout), done.stdout


def test_whatever_the_proxy_offers_is_published(compose: dict[str, Any]) -> None:
    ports = compose["services"]["proxy"]["ports"]
    assert any(str(port).endswith(":443/udp") for port in ports), "Caddy announces HTTP/3"


def test_every_queue_has_a_worker(compose: dict[str, Any]) -> None:
    commands = [service.get("command") or [] for service in compose["services"].values()]
    roles = {command[-1] for command in commands if command[:2] == ["videoflix", "worker"]}
    assert roles == set(ROLES) - {"all"}


def test_secrets_are_files_and_settings_exist(compose: dict[str, Any]) -> None:
    known = {name.upper() for name in Settings.__struct_fields__}
    for name, service in compose["services"].items():
        if service["image"] != "videoflix":
            continue
        for variable, value in service["environment"].items():
            assert variable.removesuffix("_FILE") in known, f"{name}: {variable}"
            assert variable.endswith("_FILE") == str(value).startswith("/run/secrets/")
        assert not {"SECRET_KEY", "DATABASE_URL"} & set(service["environment"])
    for secret in compose["secrets"].values():
        assert secret["file"].startswith("./secrets/")


def test_names_in_the_proxys_file_are_services(compose: dict[str, Any]) -> None:
    found = re.search(r"reverse_proxy (.*) {", (ROOT / "Caddyfile").read_text())
    assert found
    upstreams = dict(upstream.split(":") for upstream in found[1].split())
    replicas = {name for name in compose["services"] if name.startswith("api")}
    assert set(upstreams) == replicas
    for name, port in upstreams.items():
        assert compose["services"][name]["expose"] == [port]


def test_settings_may_lie_in_files(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("k" * 40 + "\n")
    assert read_settings({"SECRET_KEY_FILE": str(secret)}).secret_key == "k" * 40
    assert read_settings({"SECRET_KEY_FILE": ""}).secret_key == ""
    secret.write_text("smtp://robot:pw@mail.example:587\n")
    server = read_settings({"SMTP_URL_FILE": str(secret)}).smtp_url
    assert server
    assert server.password == "pw"


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        ({"SECRET_KEY_FILE": "/nowhere"}, "SECRET_KEY_FILE is wrong: /nowhere cannot be read"),
        ({"SECRET_KEY_FILE": "/dev/null", "SECRET_KEY": "x"}, "not both"),
        (
            {"X264_PRESET": "veryfsat"},
            "X264_PRESET is wrong: expected one of ultrafast, superfast, veryfast, faster, fast,",
        ),
        ({"LOG_FORMAT": "xml"}, "LOG_FORMAT is wrong: expected one of auto, json, console."),
    ],
)
def test_wrong_settings_are_named(environment: dict[str, str], sentence: str) -> None:
    with pytest.raises(SystemExit, match=sentence):
        read_settings(environment)


@pytest.mark.journey
def test_what_it_describes_starts_answers_and_stops() -> None:
    script = ROOT / "scripts" / "compose_without_containers.py"
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    for words in ("api-1  healthy", "api-2  healthy", "transcoder-2  runs"):
        assert words in done.stdout
    assert done.stdout.count("stopped after") == 6
