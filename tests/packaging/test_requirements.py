"""Every dependency is locked by hash, and says what it is for."""

import re
import tomllib
from pathlib import Path

import pytest

LOCKS = ["kiosk.txt", "host.txt", "dev.txt", "build.txt", "uv.txt"]
APT_LISTS = ["apt-run.txt", "apt-test.txt", "apt-python.txt"]


def requirements_of(lock: Path) -> dict[str, str]:
    """Name -> everything that the lock says of it: version, marker, hashes."""
    joined = lock.read_text().replace("\\\n", " ")
    lines = [line for line in joined.splitlines() if line and not line.lstrip().startswith("#")]
    return {re.split(r"[=\s]", line, maxsplit=1)[0]: line for line in lines}


def version(requirement: str) -> str:
    match = re.match(r"\S+?==(\S+)", requirement)
    assert match, f"not pinned: {requirement}"
    return match[1]


def normalised(requirement: str) -> str:
    return re.sub(r"[-_.]+", "-", re.split(r"[\[<>=~!; ]", requirement, maxsplit=1)[0]).lower()


def test_every_dependency_has_a_reason(repository: Path) -> None:
    text = (repository / "pyproject.toml").read_text()
    extras = text.split("[project.optional-dependencies]\n")[1].split("\n[")[0]
    dependencies = [line for line in extras.splitlines() if line.startswith("    ")]
    without = [line.strip() for line in dependencies if not re.fullmatch(r'    "[^"]+",\s+# .{8,}', line)]
    assert len(dependencies) > 30
    assert without == []


@pytest.mark.parametrize("name", APT_LISTS)
def test_every_system_package_has_a_reason(repository: Path, name: str) -> None:
    lines = (repository / "requirements" / name).read_text().splitlines()
    packages = [line for line in lines if line and not line.startswith("#")]
    assert packages
    assert [line for line in packages if not re.fullmatch(r"[a-z0-9.+-]+\??\s+# .{5,}", line)] == []


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_pins_every_package_by_version_and_hash(repository: Path, name: str) -> None:
    requirements = requirements_of(repository / "requirements" / name)
    assert requirements
    for requirement in requirements.values():
        assert version(requirement)
        assert "--hash=sha256:" in requirement, requirement


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_names_no_index(repository: Path, name: str) -> None:
    text = (repository / "requirements" / name).read_text()
    assert "://" not in text
    assert "--index-url" not in text
    assert "--find-links" not in text


@pytest.mark.parametrize("extra", ["kiosk", "host", "dev"])
def test_a_lock_holds_what_its_extra_asks_for(repository: Path, extra: str) -> None:
    extras = tomllib.loads((repository / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    locked = requirements_of(repository / "requirements" / f"{extra}.txt")
    wanted = {normalised(requirement) for requirement in extras[extra]} - {"guichet-sst"}
    assert wanted - locked.keys() == set()


@pytest.mark.parametrize("name", ["kiosk.txt", "host.txt", "build.txt"])
def test_tests_run_the_versions_that_terminal_and_host_get(repository: Path, name: str) -> None:
    tested = requirements_of(repository / "requirements/dev.txt")
    for package, requirement in requirements_of(repository / "requirements" / name).items():
        if package in tested:
            assert version(requirement) == version(tested[package]), package
        else:
            assert name == "build.txt", f"{package} is not in dev.txt"


def test_the_generator_is_of_the_version_of_the_runtime(repository: Path) -> None:
    locked = requirements_of(repository / "requirements/dev.txt")
    assert version(locked["grpcio-tools"]) == version(locked["grpcio"])
