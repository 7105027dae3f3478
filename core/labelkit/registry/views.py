"""Views with stable names, for SQL of users: ``labelkit runs query``, sqlite3, datasette, pandas.

Their names and columns are public API: tables may change, views only gain columns. They are created again after each
upgrade, so a change here needs a new (perhaps empty) revision. Portable SQL: SQLite and PostgreSQL read the same.
"""

from __future__ import annotations

import sqlalchemy as sa

VIEWS: dict[str, str] = {
    # one row per run; validation and test hold the figure that chooses the checkpoint
    "v_runs": """
        SELECT r.id AS run, r.name, r.group_id, r.task, r.kind, r.status, r.started, r.ended, r.seconds,
        r.heartbeat, r.error, r.data, r.model, r.model_revision, r.model_sha256, r.recipe, r.synthetic, r.metric,
        r.metric_key, v.value AS validation, t.value AS test,
        r.seed, r.device_type, r.device_name, r.device_count, r.precision, r.driver, r.peak_memory, r.git_commit,
        r.git_dirty, r.host, r.pid, r.command, r.python, r.labelkit
        FROM runs r
        LEFT JOIN scores v ON v.run = r.id AND v.task = r.task AND v.split = 'validation' AND v.name = r.metric_key
        AND v.type = ''
        LEFT JOIN scores t ON t.run = r.id AND t.task = r.task AND t.split = 'test' AND t.name = r.metric_key
        AND t.type = ''""",
    "v_params": "SELECT run, key AS name, text AS value, number, origin FROM plan_values",
    # the chosen checkpoint's figures; label_type is empty for a whole split
    "v_scores": "SELECT run, task, split, name, type AS label_type, step, epoch, value, text FROM scores",
    # every figure by step, train loss too
    "v_metrics": "SELECT run, task, split, step, epoch, name, type AS label_type, value, text FROM metrics",
    "v_splits": "SELECT run, split, ref AS data, content_hash, examples, words, carved FROM splits",
    "v_assumptions": "SELECT run, number, text FROM assumptions",
    "v_suppliers": "SELECT run, kind, name, plugin, version, package FROM suppliers",
    "v_versions": "SELECT run, kind, name, version FROM versions",
    "v_checkpoints": """
        SELECT c.run, c.step, c.epoch, c.is_best AS best, c.is_last AS last, c.created, c.removed, s.host, s.root,
        c.path, (SELECT SUM(f.size) FROM checkpoint_files f WHERE f.checkpoint = c.id) AS bytes
        FROM checkpoints c JOIN stores s ON s.id = c.store""",
    "v_files": """
        SELECT c.run, c.step, f.name, f.size, f.sha256
        FROM checkpoint_files f JOIN checkpoints c ON c.id = f.checkpoint""",
    "v_attempts": "SELECT run, number, status, ended, resumed, error, host, pid, command FROM attempts",
    "v_tags": "SELECT run, tag FROM tags",
    "v_notes": "SELECT run, created, text FROM notes",
    # what each alias means now
    "v_aliases": """
        SELECT a.task, a.name AS alias, a.run, a.created FROM aliases a
        WHERE a.run IS NOT NULL AND a.id = (SELECT MAX(b.id) FROM aliases b
        WHERE b.task = a.task AND b.name = a.name AND b.undone IS NULL)""",
    "v_evaluations": """
        SELECT id AS evaluation, run, source, task, ref AS data, split, content_hash, examples, created
        FROM evaluations""",
    "v_evaluation_scores": """
        SELECT e.run, f.evaluation, e.split, f.name, f.type AS label_type, f.value, f.text
        FROM evaluation_figures f JOIN evaluations e ON e.id = f.evaluation""",
    "v_publications": """
        SELECT run, step, endpoint, repository, revision, commit_id, tag, pull_request, created FROM publications""",
    "v_searches": "SELECT name, task, created, settings, result FROM searches",
    "v_outputs": "SELECT run, step, kind, host, path, size, sha256, records, created FROM outputs",
}


def drop_views(connection: sa.Connection) -> None:
    """Drop the views of labelkit: tables cannot be altered under views."""
    for name in VIEWS.keys() & set(sa.inspect(connection).get_view_names()):
        connection.exec_driver_sql(f"DROP VIEW {name}")


def make_views(connection: sa.Connection) -> None:
    """Create the views."""
    for name, query in VIEWS.items():
        connection.exec_driver_sql(f"CREATE VIEW {name} AS{query if query[0].isspace() else f' {query}'}")
