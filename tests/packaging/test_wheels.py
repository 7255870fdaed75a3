"""What ships: a production wheel without anything that pretends to be a device, and a training wheel with all of it."""

import ast
import os
import subprocess
import sys
import zipfile
from email.parser import Parser
from pathlib import Path, PurePosixPath

import pytest

# Where each top-level package lives in the checkout.
PACKAGES = {"guichet": "proto/guichet", "drivers": "drivers", "kiosk": "kiosk", "host": "host"}


def pretends(name: str) -> bool:
    """Whether a file may be in a training wheel only. Said here once more, not read from where the build reads it."""
    path = PurePosixPath(name)
    return (
        name.startswith(("kiosk/workbench/", "drivers/simulation/", "drivers/card/cards/"))
        or (path.parts[0] == "drivers" and path.name.startswith("simulator") and path.suffix == ".py")
        or name in ("drivers/pinpad/software.py", "drivers/card/pcsc/private_pcscd.py")
    )


def build(repository: Path, directory: Path, kind: str) -> zipfile.ZipFile:
    """The wheel of this checkout, built with the locked tools."""
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", directory],
        cwd=repository,
        env=os.environ | {"GUICHET_WHEEL": kind},
        check=True,
        capture_output=True,
        timeout=120,
    )
    (wheel,) = directory.glob("*.whl")
    return zipfile.ZipFile(wheel)


@pytest.fixture(scope="module")
def production(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    return build(repository, tmp_path_factory.mktemp("production"), "production")


@pytest.fixture(scope="module")
def training(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    return build(repository, tmp_path_factory.mktemp("training"), "training")


@pytest.fixture(scope="module")
def sources(repository: Path) -> set[str]:
    """Every Python file of the product, by the name that it has in a wheel."""
    return {
        f"{package}/{path.relative_to(repository / folder).as_posix()}"
        for package, folder in PACKAGES.items()
        for path in (repository / folder).rglob("*.py")
    }


def modules(wheel: zipfile.ZipFile) -> set[str]:
    return {name for name in wheel.namelist() if name.endswith(".py")}


def metadata(wheel: zipfile.ZipFile) -> dict[str, str]:
    (name,) = [name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")]
    return dict(Parser().parsestr(wheel.read(name).decode()).items())


def test_the_production_wheel_holds_nothing_that_pretends_to_be_a_device(production: zipfile.ZipFile) -> None:
    assert [name for name in production.namelist() if pretends(name)] == []


def test_the_production_wheel_holds_everything_else(production: zipfile.ZipFile, sources: set[str]) -> None:
    assert modules(production) == {name for name in sources if not pretends(name)}


def test_the_training_wheel_holds_everything(training: zipfile.ZipFile, sources: set[str]) -> None:
    assert modules(training) == sources


def test_the_wheels_differ_in_nothing_else(production: zipfile.ZipFile, training: zipfile.ZipFile) -> None:
    more = {name for name in training.namelist() if ".dist-info/" not in name} - set(production.namelist())
    assert [name for name in more if not pretends(name)] == []


@pytest.mark.parametrize("kind", ["production", "training"])
def test_a_wheel_holds_our_packages_and_no_test(request: pytest.FixtureRequest, kind: str) -> None:
    wheel: zipfile.ZipFile = request.getfixturevalue(kind)
    tops = {name.partition("/")[0] for name in wheel.namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == set(PACKAGES)


def test_the_version_tells_them_apart(production: zipfile.ZipFile, training: zipfile.ZipFile) -> None:
    assert "+" not in metadata(production)["Version"]
    assert metadata(training)["Version"] == metadata(production)["Version"] + "+training"


def test_another_kind_is_refused(repository: Path, tmp_path: Path) -> None:
    with pytest.raises(subprocess.CalledProcessError) as failure:
        build(repository, tmp_path, "demo")
    assert b"it may be 'production' or 'training'" in failure.value.stderr + failure.value.stdout


def imported_at_once(source: bytes, module: str, *, package: bool) -> set[str]:
    """The modules that this one imports when it is imported itself; not those that a function imports when called."""
    found: set[str] = set()
    waiting: list[ast.AST] = [ast.parse(source)]
    while waiting:
        node = waiting.pop()
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.Lambda():
                continue
            case ast.If(test=ast.Name(id="TYPE_CHECKING")):
                waiting += node.orelse
                continue
            case ast.Import(names=names):
                found |= {name.name for name in names}
            case ast.ImportFrom(module=target, names=names, level=level):
                above = module.split(".")[: -level + package or None] if level else []
                base = ".".join([*above, *([target] if target else [])])
                found |= {base} | {f"{base}.{name.name}" for name in names}
            case _:
                pass
        waiting += ast.iter_child_nodes(node)
    return found


def test_no_production_module_needs_what_was_left_out(production: zipfile.ZipFile, sources: set[str]) -> None:
    def dotted(name: str) -> str:
        return name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")

    absent = {dotted(name) for name in sources if pretends(name)}
    broken = {
        name: sorted(needs)
        for name in modules(production)
        if (
            needs := absent
            & imported_at_once(production.read(name), dotted(name), package=name.endswith("/__init__.py"))
        )
    }
    assert broken == {}
