"""The writing side of the stand-in Hub: accounts, repositories, large files, commits, tags and pull requests."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

import yaml

if TYPE_CHECKING:
    from hub_server import Hub

LARGE = (".safetensors", ".onnx", ".parquet", ".npy")


@dataclass
class Account:
    """Who has a token, and what the token allows.

    :param role: ``"read"``, ``"write"`` or ``"fineGrained"``.
    :param scoped: what a fine-grained token allows: the name of a user, organization or repository → permissions.
    :param orgs: organization → the role in it.
    """

    name: str
    role: str = "write"
    orgs: Mapping[str, str] = field(default_factory=dict)
    scoped: Mapping[str, list[str]] = field(default_factory=dict)

    def may_write(self, repository: str) -> bool:
        owner = repository.partition("/")[0]
        if self.role == "fineGrained":
            return any("repo.write" in self.scoped.get(name, ()) for name in (owner, repository))
        return self.role == "write" and (owner == self.name or self.orgs.get(owner, "read") != "read")

    def to_json(self) -> dict[str, Any]:
        token: dict[str, Any] = {"displayName": "laptop", "role": self.role}
        if self.scoped:
            entries = [
                {"entity": {"type": "model" if "/" in name else "user", "name": name}, "permissions": permissions}
                for name, permissions in self.scoped.items()
            ]
            token["fineGrained"] = {"scoped": entries, "global": []}
        orgs = [{"name": name, "type": "org", "roleInOrg": role} for name, role in self.orgs.items()]
        return {"type": "user", "name": self.name, "orgs": orgs, "auth": {"type": "access_token", "accessToken": token}}


@dataclass
class Repository:
    """One data set or model: what each branch and tag is at, and the files of each commit."""

    branches: dict[str, str] = field(default_factory=dict)
    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    private: bool = False
    messages: list[str] = field(default_factory=list)

    def commit_of(self, revision: str) -> str:
        return self.branches.get(revision) or self.tags.get(revision) or revision

    def refs(self) -> dict[str, Any]:
        def entries(refs: Mapping[str, str], kind: str) -> list[dict[str, str]]:
            return [{"name": name, "ref": f"refs/{kind}/{name}", "targetCommit": oid} for name, oid in refs.items()]

        return {"branches": entries(self.branches, "heads"), "tags": entries(self.tags, "tags"), "converts": []}


def is_large(path: str) -> bool:
    """Return whether the Hub stores a file as a large one."""
    return path.endswith(LARGE)


def blob_oid(content: bytes) -> str:
    """Return the id that git gives to a content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def errors_of_card(content: str) -> list[str]:
    """Return what the Hub refuses in the metadata of a card: what is no YAML, and scores without their fields."""
    _, _, rest = content.partition("---\n")
    try:
        metadata = yaml.safe_load(rest.partition("\n---")[0])
    except yaml.YAMLError as error:
        return [str(error)]
    errors = [] if isinstance(metadata, dict) else ["the metadata is not a mapping"]
    for model in metadata.get("model-index", ()) if not errors else ():
        if not isinstance(model.get("name"), str) or not model.get("results"):
            errors.append('"model-index[].name" and "results" are required')
        for result in model.get("results", ()):
            needed = {"task": ("type",), "dataset": ("type", "name")}
            errors += [
                f'"results[].{part}.{name}" is required'
                for part, names in needed.items()
                for name in names
                if not isinstance(result.get(part, {}).get(name), str)
            ]
            for metric in result.get("metrics", ()):
                if not isinstance(metric.get("type"), str) or not isinstance(metric.get("value"), int | float):
                    errors.append('"metrics[].type" and "value" are required')
    return errors


def oid_of(path: str, content: bytes | None) -> str | None:
    if content is None:
        return None
    return hashlib.sha256(content).hexdigest() if is_large(path) else blob_oid(content)


class Writing:
    """What a handler answers to POST and PUT."""

    hub: Hub
    headers: Any
    path: str
    command: str
    dropped: bool
    close_connection: bool
    rfile: Any

    def begin(self, path: str) -> bool:
        """Note a request; return False where its connection broke, or its status was set."""
        self.hub.asked.append(f"{self.command} {path}")
        self.dropped = len(self.hub.asked) == self.hub.drop
        if self.dropped:
            self.close_connection = True
            return self.hub.drop_late
        status = next(
            (status for start, status in self.hub.answers.items() if f"{self.command} {path}".startswith(start)), 0
        )
        if status:
            self.body()
            self.answer(status, b'{"error": "refused"}')
        return not status

    def do_POST(self) -> None:  # noqa: N802
        path = unquote(urlsplit(self.path).path)
        if not self.begin(path):
            return
        body = self.body()
        parts = path.strip("/").split("/")
        if path == "/api/repos/create":
            self._create(json.loads(body))
        elif path == "/api/validate-yaml":
            errors = errors_of_card(json.loads(body)["content"])
            self._json({"errors": [{"message": one} for one in errors], "warnings": []}, 400 if errors else 200)
        elif "/info/lfs/objects/batch" in path:
            self._batch(json.loads(body))
        elif path.startswith("/lfs/verify"):
            known = json.loads(body)
            self.answer(200 if len(self.hub.objects.get(known["oid"], b"")) == known["size"] else 404, b"{}")
        elif path.startswith("/v1/xorbs/"):
            self.hub.xet.xorbs[parts[-1]] = body
            self._json({"was_inserted": True})
        elif path == "/v1/shards":
            for sha256 in self.hub.xet.add_shard(body):
                self.hub.objects[sha256] = self.hub.xet.content(sha256)
            self._json({"result": 1})
        elif parts[0] == "api" and len(parts) > 4:
            self._repository(parts[1], "/".join(parts[2:4]), parts[4], "/".join(parts[5:]), body)
        else:
            self.missing("RepoNotFound")

    def do_PUT(self) -> None:  # noqa: N802
        path = urlsplit(self.path).path
        if not self.begin(path):
            return
        body = self.body()
        oid = path.rpartition("/")[2]
        if hashlib.sha256(body).hexdigest() != oid:
            self.answer(400, b"{}")
            return
        self.hub.objects[oid] = body
        self.answer(200, b"")

    def whoami(self) -> None:
        account = self.account
        if account is None:
            self.answer(401, b'{"error": "Invalid user token."}')
        else:
            self._json(account.to_json())

    @property
    def account(self) -> Account | None:
        return self.hub.accounts.get(self.headers.get("Authorization", "").removeprefix("Bearer "))

    def body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") == "chunked":
            blocks = []
            while size := int(self.rfile.readline(), 16):
                blocks.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            body = b"".join(blocks)
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.hub.bodies.append(body)
        return body

    def _repository(self, kind: str, name: str, action: str, revision: str, body: bytes) -> None:
        repository = self.hub.kind(kind).get(name)
        if repository is None:
            self.missing("RepoNotFound")
        elif action == "paths-info":
            files = repository.commits.get(repository.commit_of(revision), {})
            wanted = parse_qs(body.decode()).get("paths") or json.loads(body or b"{}").get("paths", ())
            self._json([self.entry(path, files[path]) for path in wanted if path in files])
        elif self.account is None or not self.account.may_write(name):
            self.answer(403, b'{"error": "Forbidden: you must use a write token"}')
        elif action == "preupload":
            self._preupload(repository.commits.get(repository.commit_of(revision), {}), json.loads(body))
        elif action == "commit":
            self._commit(kind, name, repository, revision, body)
        elif action == "branch":
            self._branch(repository, revision, json.loads(body))
        elif action == "tag":
            tag = json.loads(body)["tag"]
            self.answer(409 if tag in repository.tags else 200, b"{}")
            repository.tags.setdefault(tag, repository.commit_of(revision))
        else:
            self.missing("EntryNotFound")

    def _create(self, asked: Mapping[str, Any]) -> None:
        account = self.account
        name = f"{asked.get('organization') or (account.name if account else '')}/{asked['name']}"
        kind = "datasets" if asked.get("type") == "dataset" else "models"
        if account is None or not account.may_write(name):
            self.answer(403, b'{"error": "Forbidden"}')
        elif name in self.hub.kind(kind):
            self._json({"url": f"{self.hub.endpoint}/{name}"}, 409)
        else:
            self.hub.add(name, {".gitattributes": b"*.safetensors filter=lfs\n"}, kind=kind)
            self.hub.kind(kind)[name].private = asked.get("visibility") == "private"
            self._json({"url": f"{self.hub.endpoint}/{'datasets/' if kind == 'datasets' else ''}{name}"})

    def _preupload(self, files: Mapping[str, bytes], asked: Mapping[str, Any]) -> None:
        answer = [
            {
                "path": one["path"],
                "uploadMode": "lfs" if is_large(one["path"]) else "regular",
                "shouldIgnore": False,
                "oid": oid_of(one["path"], files.get(one["path"])),
            }
            for one in asked["files"]
        ]
        self._json({"files": answer})

    def _batch(self, asked: Mapping[str, Any]) -> None:
        found = []
        for one in asked["objects"]:
            entry: dict[str, Any] = {"oid": one["oid"], "size": one["size"]}
            if one["oid"] not in self.hub.objects:
                actions = {
                    name: {"href": f"{self.hub.endpoint}/lfs/{name}/{one['oid']}"} for name in ("upload", "verify")
                }
                entry["actions"] = actions
            found.append(entry)
        self._json({"transfer": "basic", "objects": found})

    def _branch(self, repository: Repository, branch: str, asked: Mapping[str, Any]) -> None:
        if branch in repository.branches:
            self.answer(409, b"{}")
            return
        repository.branches[branch] = repository.commit_of(asked.get("startingPoint") or "main")
        self.answer(200, b"{}")

    def _commit(self, kind: str, name: str, repository: Repository, revision: str, body: bytes) -> None:
        lines = [json.loads(line) for line in body.decode().splitlines()]
        header = lines[0]["value"]
        parent = repository.branches.get(revision)
        if parent is None:
            self.missing("RevisionNotFound")
            return
        if header.get("parentCommit") not in (None, parent):
            self.answer(412, b'{"error": "A commit has happened since. Please refresh and try again."}')
            return
        files = dict(repository.commits[parent])
        for line in lines[1:]:
            value = line["value"]
            if line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                if value["oid"] not in self.hub.objects:
                    self.answer(400, b'{"error": "the large file was never sent"}')
                    return
                files[value["path"]] = self.hub.objects[value["oid"]]
            elif line["key"] == "deletedFile":
                del files[value["path"]]
        request = "create_pr" in parse_qs(urlsplit(self.path).query)
        branch = (
            f"refs/pr/{1 + sum(one.startswith('refs/pr/') for one in repository.branches)}" if request else revision
        )
        oid = hashlib.sha1(repr((name, parent, sorted(files.items()))).encode()).hexdigest()
        repository.commits[oid] = files
        repository.branches[branch] = oid
        repository.messages.append(header["summary"])
        url = f"{self.hub.endpoint}/{'datasets/' if kind == 'datasets' else ''}{name}"
        answer = {"success": True, "commitOid": oid, "commitUrl": f"{url}/commit/{oid}", "hookOutput": ""}
        if request:
            answer["pullRequestUrl"] = f"{url}/discussions/{branch.rpartition('/')[2]}"
        self._json(answer)

    def _json(self, content: object, status: int = 200) -> None:
        self.answer(status, json.dumps(content).encode(), None, **{"Content-Type": "application/json"})

    def answer(self, status: int, content: bytes, sent: int | None = None, /, **headers: str) -> None:
        raise NotImplementedError

    def entry(self, path: str, content: bytes) -> dict[str, Any]:
        raise NotImplementedError

    def missing(self, code: str) -> None:
        raise NotImplementedError
