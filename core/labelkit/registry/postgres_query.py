"""Queries of users on PostgreSQL: what is refused before it runs, because a read-only transaction would not stop it.

A read-only transaction keeps tables as they are, but a privileged role could still write files, start programs and
signal the server: by COPY, and by functions with side effects, which PostgreSQL calls volatile.
"""

from __future__ import annotations

import logging
import re
from itertools import pairwise

import sqlalchemy as sa

from labelkit.errors import RegistryError

#: volatile functions without an effect beyond the query
_HARMLESS = ("random", "random_normal", "clock_timestamp", "timeofday", "gen_random_uuid", "pg_sleep")
# Also in strings and comments, which another parser than the server's may see elsewhere.
_CALL = re.compile(r"""([^\W\d][\w$]*)"?(?:\s|/\*.*?\*/|--[^\n]*\n)*\(""", re.DOTALL)
_HINT = "write one plain SELECT; docs/reference/registry.md lists the views and their columns"
_ESCAPED_NAME = re.compile(r"\bU&\"", re.IGNORECASE)
_SUPERUSER = "SELECT rolsuper FROM pg_roles WHERE rolname = current_user"
_VOLATILE = sa.text(
    "SELECT proname FROM pg_proc WHERE provolatile = 'v' AND proname = ANY(:names) AND proname <> ALL(:harmless) "
    "ORDER BY proname LIMIT 1"
)


def check_select(sql: str) -> bool:
    """Return whether ``sql`` is one SELECT that contains no statement that writes.

    :raises RegistryError: it cannot be parsed, or the parser is not installed.
    """
    try:
        import sqlglot
        from sqlglot import errors, expressions
    except ImportError as error:
        raise RegistryError(
            f"queries need the package {error.name}", hint="pip install 'labelkit[postgres]'"
        ) from error
    logging.getLogger("sqlglot").setLevel(logging.ERROR)  # what it cannot parse in full is refused below
    try:
        statements = [one for one in sqlglot.parse(sql, read="postgres") if one is not None]
    except errors.SqlglotError as error:
        line = " ".join(re.sub(r"\x1b\[\d*m", "", str(error)).split())
        raise RegistryError(f"the query failed: it cannot be parsed: {line[:200]}", hint=_HINT) from error
    except RecursionError as error:
        raise RegistryError("the query failed: it is nested too deeply", hint=_HINT) from error
    if len(statements) != 1 or not isinstance(statements[0], expressions.Query):
        return False
    writes = (expressions.DML, expressions.DDL, expressions.Into, expressions.Lock, expressions.Command)
    return statements[0].find(*writes) is None


def restrict(connection: sa.Connection, sql: str, seconds: float) -> None:
    """Make the transaction of ``connection`` read-only, limited in time, and without the rights of a superuser.

    :raises RegistryError: ``sql`` calls a function that may have side effects.
    """
    connection.exec_driver_sql("SET TRANSACTION READ ONLY")
    connection.exec_driver_sql(f"SET LOCAL statement_timeout = {int(seconds * 1000)}")
    connection.exec_driver_sql("SET LOCAL standard_conforming_strings = on")
    names = _called_names(sql)
    refused = connection.scalar(_VOLATILE, {"names": names, "harmless": list(_HARMLESS)})
    if refused is not None or _ESCAPED_NAME.search(sql):
        what = f"the function {refused} may change something" if refused else "names are written as they are, not U&"
        raise RegistryError(f"the query failed: {what}", hint="use functions that only compute a value")
    if connection.exec_driver_sql(_SUPERUSER).scalar():
        connection.exec_driver_sql("SET LOCAL ROLE pg_read_all_data")


def _called_names(sql: str) -> list[str]:
    """Return the names that may be those of called functions, as written and in lower case."""
    import sqlglot

    tokens = sqlglot.tokenize(sql, read="postgres")
    names = {one.text for one, after in pairwise(tokens) if after.text == "("}
    names |= set(_CALL.findall(sql))
    return sorted(names | {name.lower() for name in names})
