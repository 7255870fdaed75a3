"""Build hook: one source, two wheels.

The production wheel (the default) leaves out whatever pretends to be a device; `pyproject.toml` lists it under
`tool.hatch.build.targets.wheel.exclude`. With GUICHET_WHEEL=training in the environment the same files come along, and
the version says so: whoever installs it can tell the two apart, and no package index takes a local version by mistake.
"""

import os
from pathlib import Path
from typing import Any, cast

import pathspec
from hatchling.builders.config import BuilderConfig
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

VERSION = "0.1.0"


def training() -> bool:
    """Whether a training wheel is asked for; any value other than the two known ones is an error."""
    kind = os.environ.get("GUICHET_WHEEL", "production")
    if kind not in ("production", "training"):
        raise ValueError(f"GUICHET_WHEEL is {kind!r}: it may be 'production' or 'training'")
    return kind == "training"


def version() -> str:
    """The distribution's version; a local part marks the training wheel."""
    return f"{VERSION}+training" if training() else VERSION


def excluded_by(config: BuilderConfig) -> list[str]:
    """The patterns that `pyproject.toml` excludes from the production wheel, as gitignore writes them."""
    return cast("list[str]", config.target_config["exclude"])


class TrainingHook(BuildHookInterface[BuilderConfig]):
    """Puts back, into a training wheel, what the production wheel excludes."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the excluded files by name. An editable install ("editable") has the whole checkout anyway."""
        if version == "editable" or not training():
            return
        root = Path(self.root)
        excluded = pathspec.GitIgnoreSpec.from_lines(excluded_by(self.build_config))
        for package in ("drivers", "kiosk"):
            for path in sorted(root.glob(f"{package}/**/*")):
                relative = path.relative_to(root).as_posix()
                if path.is_file() and "__pycache__" not in path.parts and excluded.match_file(relative):
                    build_data["force_include"][str(path)] = relative
