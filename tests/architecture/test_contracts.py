"""The import contracts hold, and go red when they should: each violation here is planted in a copy of the product."""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
PACKAGES = ["proto/guichet", "drivers", "kiosk", "host"]

CONTRACTS = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
NAMES: dict[str, str] = {contract["id"]: contract["name"] for contract in CONTRACTS}

VIOLATIONS = {
    "the kiosk imports the host": ("kiosk/planted.py", "import host", "independence"),
    "the host imports the kiosk, through a function": ("host/planted.py", "def f():\n    import kiosk", "independence"),
    "the host imports a driver": ("host/planted.py", "from drivers import api", "host-without-devices"),
    "the common ground imports a driver": ("proto/guichet/planted.py", "import drivers.api", "common-ground"),
    "a driver imports the contracts": ("drivers/planted.py", "import guichet.v1", "drivers"),
    "a driver imports signing": ("drivers/cash/planted.py", "from guichet import signing", "drivers"),
    "a driver imports grpc": ("drivers/planted.py", "import grpc.aio", "drivers"),
    "the terminal imports kivy": ("kiosk/planted.py", "from kivy.app import App", "kivy"),
    "the product imports a test": ("host/planted.py", "import tests.e2e", "product-without-tests"),
    "money reads a clock": ("proto/guichet/money.py", "import time", "purity"),
    "a core rolls dice": ("drivers/cash/ccnet/machine.py", "from random import random", "purity"),
    "a protocol's framing reads a socket": ("drivers/cash/id003/framing.py", "import socket", "purity"),
    "a protocol's next room reads a clock": ("drivers/cash/essp/planted.py", "import time", "purity"),
}


def lint(root: Path) -> subprocess.CompletedProcess[str]:
    """lint-imports on the product found at this root."""
    return subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=root,
        env=os.environ | {"PYTHONPATH": f"{root}{os.pathsep}{root / 'proto'}", "COLUMNS": "200", "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture(scope="module")
def clean(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the product."""
    root = tmp_path_factory.mktemp("product")
    for package in PACKAGES:
        shutil.copytree(repository / package, root / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(repository / "pyproject.toml", root)
    return root


def test_the_product_keeps_every_contract(clean: Path) -> None:
    done = lint(clean)
    assert done.returncode == 0, done.stdout
    assert "0 broken" in done.stdout


@pytest.mark.parametrize(("path", "line", "contract"), VIOLATIONS.values(), ids=VIOLATIONS)
def test_a_violation_is_seen(clean: Path, tmp_path: Path, path: str, line: str, contract: str) -> None:
    root = tmp_path / "product"
    shutil.copytree(clean, root)
    planted = root / path
    planted.parent.mkdir(exist_ok=True)
    (planted.parent / "__init__.py").touch()
    with planted.open("a") as module:
        module.write(f"\n{line}\n")
    done = lint(root)
    assert done.returncode == 1, done.stdout
    assert f"{NAMES[contract]} BROKEN" in done.stdout


def test_no_folder_of_modules_is_hidden_from_the_contracts(repository: Path) -> None:
    """The contracts see packages; a folder of modules without __init__.py would escape them."""
    folders = {path.parent for package in PACKAGES for path in (repository / package).rglob("*.py")}
    assert [folder for folder in sorted(folders) if not (folder / "__init__.py").exists()] == []
