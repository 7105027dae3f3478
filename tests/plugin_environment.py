"""A fresh virtual environment that sees what is installed here, to install packages of plugins in; needs no network."""

from __future__ import annotations

import os
import subprocess
import sysconfig
import venv
from dataclasses import dataclass
from pathlib import Path

Done = subprocess.CompletedProcess[str]


@dataclass(frozen=True)
class PluginEnvironment:
    """A virtual environment.

    :param folder: where it is; its state of labelkit lies in ``home`` beside.
    :param constraints: the versions that pip may install or find installed; None for any.
    """

    folder: Path
    constraints: Path | None = None

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")

    @property
    def variables(self) -> dict[str, str]:
        """The environment variables of commands that run in it; plain ``pip install`` works without a network."""
        foreign = ("LABELKIT_", "PYTHON", "PIP_")
        ours = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
        limits = {"PIP_CONSTRAINT": str(self.constraints)} if self.constraints else {}
        return {
            **ours,
            **limits,
            "PATH": f"{self.python.parent}{os.pathsep}{os.environ['PATH']}",
            "VIRTUAL_ENV": str(self.folder),
            "LABELKIT_HOME": str(self.folder.parent / "home"),
            "HF_HUB_OFFLINE": "1",
            "PIP_NO_INDEX": "1",
            "PIP_NO_BUILD_ISOLATION": "0",  # what --no-build-isolation sets
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        }

    def run(self, *command: str, cwd: Path | None = None) -> Done:
        """Run a command with this environment first on the path; it has to succeed."""
        done = subprocess.run(
            command, env=self.variables, cwd=cwd or self.folder.parent, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"
        return done

    def shell(self, line: str, cwd: Path) -> Done:
        """Give a command as people type it; it has to succeed."""
        return self.run("bash", "-euo", "pipefail", "-c", line, cwd=cwd)

    def labelkit(self, *arguments: str, cwd: Path | None = None) -> Done:
        """Run ``labelkit``; it has to succeed."""
        return self.run(str(self.python), "-m", "labelkit", *arguments, cwd=cwd)

    def install(self, *packages: Path) -> None:
        """Install packages from their folders."""
        self.run(str(self.python), "-m", "pip", "install", "-q", *map(str, packages))

    def fetch(self, *requirements: str) -> None:
        """Install packages from the package index that pip uses here; the only method that needs a network."""
        settings = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
        constraints = Path(__file__).parents[1] / "constraints.txt"
        command = [str(self.python), "-m", "pip", "install", "-q", "-c", str(constraints), *requirements]
        environment = {**self.variables, "PIP_NO_INDEX": "0", **settings}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    def test(self, package: Path) -> str:
        """Run a package's own tests; return pytest's last line."""
        command = (str(self.python), "-m", "pytest", "-q", "-p", "no:cacheprovider", str(package))
        return self.run(*command, cwd=package).stdout.strip().splitlines()[-1]


def make_environment(folder: Path, constraints: Path | None = None) -> PluginEnvironment:
    """Make an environment in ``folder`` that sees all that is installed in the one that runs the tests.

    Nothing is fetched: what a package depends on has to be there, in the versions of ``constraints``.
    """
    venv.create(folder, with_pip=False, symlinks=os.name != "nt")
    made = PluginEnvironment(folder, constraints)
    asked = "import sysconfig; print(sysconfig.get_path('purelib'))"
    site = subprocess.run([made.python, "-c", asked], capture_output=True, text=True, check=True).stdout.strip()
    here = sorted({sysconfig.get_path("purelib"), sysconfig.get_path("platlib")})
    # a .pth file that is merely named in another one would not be read
    lines = [f"import site; site.addsitedir({path!r})" for path in here]
    (Path(site) / "_what_is_installed.pth").write_text("\n".join(lines) + "\n", encoding="utf-8")
    scripts = made.python.parent
    for name in ("pip", "pytest", "labelkit"):
        (scripts / name).write_text(f'#!/bin/sh\nexec "{made.python}" -m {name} "$@"\n', encoding="utf-8")
        (scripts / name).chmod(0o755)
    return made
