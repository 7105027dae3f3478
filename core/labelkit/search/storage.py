"""Optuna's storage in the database of the registry."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy import exc

from labelkit.errors import LabelkitError
from labelkit.registry import Home
from labelkit.registry.database import BUSY_SECONDS
from labelkit.registry.database_errors import explain
from labelkit.registry.engines import BEGIN, IMMEDIATE, begin_transactions, engine_of, place_of, secrets_of, url_of

if TYPE_CHECKING:
    from optuna.storages import BaseStorage

#: seconds in which several first processes create the tables, and between two attempts
_PATIENCE, _RETRY = 5.0, 0.2


def require_optuna() -> None:
    """Import Optuna, which then logs warnings only.

    :raises LabelkitError: it is not installed.
    """
    try:
        import optuna
    except ImportError as error:
        raise LabelkitError("a search needs Optuna", hint="pip install 'labelkit[search]'") from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)


def open_storage(home: Home) -> BaseStorage:
    """Return Optuna's storage in the registry's database, whose tables are created if they are missing.

    The registry must exist: a database that holds only tables of Optuna is another program's.

    :raises RegistryError: the database refuses.
    """
    from optuna.storages import RDBStorage, get_storage

    url, deadline = url_of(home), time.monotonic() + _PATIENCE
    pool = engine_of(url, BUSY_SECONDS).pool  # with labelkit's settings of connections
    while True:
        try:
            with database_errors(home):
                storage = RDBStorage(url.render_as_string(hide_password=False), engine_kwargs={"pool": pool})
            break
        except LabelkitError:  # another process creates the same tables at the same time
            if time.monotonic() > deadline:
                raise
            time.sleep(_RETRY)
    if url.get_backend_name() == "sqlite":
        begin_transactions(storage.engine, BUSY_SECONDS)
        storage.engine = storage.engine.execution_options(**{BEGIN: IMMEDIATE})
        storage.scoped_session.remove()  # those of the constructor
        storage.scoped_session.configure(bind=storage.engine)
    return get_storage(storage)


def close_storage(storage: BaseStorage) -> None:
    """Close the connections of a storage of :func:`open_storage`: its cache has no method that does."""
    from optuna.storages import RDBStorage

    found = getattr(storage, "_backend", storage)
    assert isinstance(found, RDBStorage)
    found.remove_session()
    found.engine.dispose()


@contextlib.contextmanager
def database_errors(home: Home) -> Iterator[None]:
    """Raise errors of the database as those of the registry, without passwords.

    :raises RegistryError: the database refuses.
    """
    from optuna.exceptions import StorageInternalError

    try:
        yield
    except (StorageInternalError, exc.SQLAlchemyError) as error:
        cause = error.__cause__ if isinstance(error, StorageInternalError) else error
        if not isinstance(cause, sa.exc.SQLAlchemyError):
            raise
        url = url_of(home)
        raise explain(cause, place_of(url), secrets_of(url)) from error
