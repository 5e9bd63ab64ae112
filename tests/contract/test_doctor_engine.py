"""`katafs doctor` and engines: old, silent, and with volumes whose data isn't on this host."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.conftest import DockerPlace
from tests.contract.names import KATA
from tests.contract.stand_in import StandIn
from tests.harness.doctored import Report, doctor
from tests.harness.programs import run


def asked(url: str, *arguments: str) -> Report:
    return doctor("--volumes", "docker", *arguments, env={"DOCKER_HOST": url})


@pytest.fixture
def engine_stand_in(disk: Path) -> Iterator[StandIn]:
    """An engine of Debian 12, without volumes."""
    with StandIn(disk / "sock") as engine:
        yield engine


def test_an_engine_is_named_with_its_version_and_api(engine_stand_in: StandIn) -> None:
    report = asked(engine_stand_in.url)

    wanted = f"Docker Engine 20.10.24+dfsg1 answers at {engine_stand_in.url}, API 1.41"
    assert (report.the("engine").severity, report.the("engine").text) == ("ok", wanted)


def test_the_danger_of_prune_on_an_old_engine(engine_stand_in: StandIn) -> None:
    found = asked(engine_stand_in.url).the("prune")

    assert found.severity == "note"
    assert "deletes every volume that no container uses" in found.text
    assert "never run it here" in found.remedy


def test_the_danger_of_an_old_clients_prune_on_a_newer_engine(engine_stand_in: StandIn) -> None:
    engine_stand_in.info["ServerVersion"] = "28.5.2"
    engine_stand_in.version = {"ApiVersion": "1.51", "MinAPIVersion": "1.24"}

    found = asked(engine_stand_in.url).the("prune")

    assert found.severity == "note"
    assert "of a client before 23 deletes every volume that no container uses" in found.text
    assert "DOCKER_MIN_API_VERSION=1.42" in found.remedy


def test_no_danger_of_prune_where_clients_before_23_are_refused(engine_stand_in: StandIn) -> None:
    engine_stand_in.info["ServerVersion"] = "29.0.0"
    engine_stand_in.version = {"ApiVersion": "1.52", "MinAPIVersion": "1.44"}

    assert "prune" not in {found.check for found in asked(engine_stand_in.url).findings}


def test_an_engine_that_is_too_old(engine_stand_in: StandIn) -> None:
    engine_stand_in.version = {"ApiVersion": "1.40"}

    report = asked(engine_stand_in.url)

    assert report.status == 1
    assert "too old: its API is 1.40, needed is 1.41 (Docker 20.10)" in report.the("volumes").text


def test_an_engine_that_is_silent_holds_up_nobody(disk: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(disk / "sock"))
        listening.listen()
        report = asked(f"unix://{disk}/sock")

    assert (report.status, report.the("volumes").severity) == (1, "problem")
    assert "no answer from the Docker Engine" in report.the("volumes").text


def test_an_engine_on_another_host(engine_stand_in: StandIn) -> None:
    engine_stand_in.info["DockerRootDir"] = "/nonexistent/docker"

    report = asked(engine_stand_in.url)

    assert report.status == 1
    found = report.the("volumes")
    assert found.text == "the volumes' own directory can't be opened: /nonexistent/docker: No such file or directory"
    assert "run katafs on the engine's host" in found.remedy


@pytest.mark.xdist_group("docker")
def test_the_danger_of_prune_is_told_where_a_client_before_23_is_one(docker_place: DockerPlace) -> None:
    volume, label = docker_place.own + KATA, f"{docker_place.own}prune"
    docker_place.engine.cli("volume", "create", "--label", label, volume)
    prune = ["docker", "volume", "prune", "--force", "--filter", f"label={label}"]
    run(prune, env={**docker_place.engine.env, "DOCKER_API_VERSION": "1.41"}, status=None)  # where it is refused

    report = asked(docker_place.engine.url)

    deleted = volume not in docker_place.engine.volumes()
    assert ("prune" in {found.check for found in report.findings}) == deleted


@pytest.mark.xdist_group("docker")
def test_a_volume_whose_data_is_not_here(docker_place: DockerPlace) -> None:
    docker_place.engine.cli("volume", "create", "--opt", "type=tmpfs", "--opt", "device=tmpfs", docker_place.own + KATA)

    report = asked(docker_place.engine.url, "--prefix", docker_place.own)

    assert (report.status, report.the("refused").severity) == (1, "problem")
    assert f"{KATA} is refused: its data is not on this host" in report.the("refused").text
    assert "docker volume inspect" in report.the("refused").remedy
