"""The context in which contract checks call functions of plugins."""

from __future__ import annotations

from labelkit.config.plugin_settings import setting_objects
from labelkit.errors import LabelkitError
from labelkit.plugins.catalog import Catalog
from labelkit.records import Context


def trial_context(catalog: Catalog) -> Context:
    """Return a context without a network, with the defaults of all settings; ``trial`` says that data is made up."""
    try:
        return Context(offline=True, trial=True, plugin_settings=setting_objects(catalog, {}))
    except LabelkitError:  # checks of settings report it
        return Context(offline=True, trial=True)
