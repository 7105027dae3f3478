"""Compatibility of plugins: the version of the hook API, and what a plugin's module requires.

``tests/golden/hook_api.json`` records every hook and record field, so that none is removed by mistake.
"""

from __future__ import annotations

import ast
import contextlib
import importlib.util
import sys
from collections.abc import Mapping
from importlib.machinery import PathFinder
from pathlib import Path

#: rises by one with each release in which hooks or records gain or lose anything
HOOK_API = 2
#: the oldest version whose plugins still work; rises when something is lost or changes its meaning
OLDEST_HOOK_API = 2
#: the variables by which a plugin's module may state its requirements
REQUIREMENTS = ("requires_labelkit", "hook_api")


def requirements_of(plugin: object) -> dict[str, object]:
    """Return the requirements of an imported plugin, a module or an object defined in one."""
    module = sys.modules.get(getattr(plugin, "__module__", ""))
    found = {name: getattr(plugin, name, getattr(module, name, None)) for name in REQUIREMENTS}
    return {name: value for name, value in found.items() if value is not None}


def requirements_in_source(module: str) -> dict[str, object]:
    """Return the requirements of a module that cannot be imported: its source is parsed, nothing is run."""
    with contextlib.suppress(Exception):  # without readable source there is nothing to compare
        top, *rest = module.split(".")
        spec = importlib.util.find_spec(top)
        for part in rest:  # find_spec("a.b") would import a
            if spec is not None:
                spec = PathFinder.find_spec(f"{spec.name}.{part}", spec.submodule_search_locations)
        if spec and spec.origin:
            return {
                target.id: ast.literal_eval(node.value)
                for node in ast.parse(Path(spec.origin).read_bytes()).body
                if isinstance(node, ast.Assign | ast.AnnAssign) and node.value
                for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
                if isinstance(target, ast.Name) and target.id in REQUIREMENTS
            }
    return {}


def incompatibility(requirements: Mapping[str, object]) -> str:
    """Return why a plugin with these requirements is incompatible with this labelkit; empty if it is compatible."""
    release, hook_api = requirements.get("requires_labelkit"), requirements.get("hook_api")
    if release is not None:
        from packaging.specifiers import InvalidSpecifier, SpecifierSet

        from labelkit import __version__

        try:
            versions = SpecifierSet(release if isinstance(release, str) else "?")
        except InvalidSpecifier:
            return f"invalid requires_labelkit = {release!r}: expected a version specifier, e.g. '>=0.1'"
        if not versions.contains(__version__, prereleases=True):
            return f"requires labelkit {release}, this is {__version__}"
    if hook_api is not None:
        if not isinstance(hook_api, int) or isinstance(hook_api, bool):
            return f"invalid hook_api = {hook_api!r}: expected an integer, e.g. {HOOK_API}"
        if hook_api > HOOK_API:
            return f"requires hook API {hook_api}, this labelkit provides {HOOK_API}: upgrade labelkit"
        if hook_api < OLDEST_HOOK_API:
            return (
                f"written for hook API {hook_api}, this labelkit provides {HOOK_API}: upgrade the plugin, or adapt it "
                f"as the changelog says under 'Breaking' and state hook_api = {HOOK_API}"
            )
    return ""
