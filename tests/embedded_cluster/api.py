# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The API: discovery, objects, watches, reviews, logs and exec, over HTTP."""

from __future__ import annotations

import asyncio
import base64
import json
import uuid
from collections import Counter
from dataclasses import fields
from typing import Any

from aiohttp import web

from .admission import Access, admit_pod, usage
from .claims import admit_claim
from .faults import Fault, Faults
from .jobs import check_job
from .kubelet import Kubelet
from .pod_life import POD
from .pod_spec import check_workload
from .resources import BY_KIND, BY_PATH, RESOURCES, VERBS, Resource
from .selectors import matches_fields, matches_labels
from .service_accounts import CERTIFICATES
from .status import ApiError, not_found
from .store import Json, Store, merge, now, other_uid, other_version
from .streams import serve_exec
from .tokens import Tokens
from .validation import check_object, check_quantities, quantity

_CLAIM = BY_KIND["PersistentVolumeClaim"]
_ANSWERED_WITH_OBJECT = ("PersistentVolumeClaim", "PersistentVolume", "ResourceQuota", "ServiceAccount", "StorageClass")
"""Kinds whose deletion answers with the object; others with a Status."""


_SHORTEST_TOKEN = 600
"""Seconds."""


class Api:
    """Answers requests."""

    def __init__(self, store: Store, kubelet: Kubelet, faults: Faults, tokens: Tokens, authority: str) -> None:
        """``authority`` is the certificate by which the API is known."""
        self._store = store
        self._kubelet = kubelet
        self._faults = faults
        self._access = Access(store)
        self._tokens = tokens
        self._authority = authority
        self._requests: Counter[str] = Counter()

    def application(self) -> web.Application:
        """The web application."""
        app = web.Application(client_max_size=64 * 1024 * 1024)
        app.router.add_route("*", "/{path:.*}", self._handle)
        return app

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        try:
            return await self._dispatch(request)
        except ApiError as error:
            return web.json_response(error.body, status=error.code)

    async def _dispatch(self, request: web.Request) -> web.StreamResponse:
        parts = [part for part in request.path.split("/") if part]
        if parts[:1] == ["_embedded"]:
            return await self._control(request, parts[1:])
        user = self._user(request)
        found = _discovery(parts)
        if found is not None:
            return web.json_response(found)
        group = "" if parts[0] == "api" else parts[1]
        rest = parts[2:] if parts[0] == "api" else parts[3:]
        namespace = ""
        if rest[:1] == ["namespaces"] and len(rest) > 2 and (group, rest[2]) in BY_PATH:
            namespace, rest = rest[1], rest[2:]
        resource = BY_PATH.get((group, rest[0])) if rest else None
        if resource is None:
            raise ApiError(404, "the server could not find the requested resource", "NotFound")
        name, sub = ([*rest[1:], "", ""])[:2]
        verb = _verb(request, name, sub)
        self._requests[f"{user} {verb} {resource.plural}{'/' + sub if sub else ''}"] += 1
        denied = self._faults.take("deny", namespace, verb, resource.plural, name)
        if denied is not None:
            raise ApiError(denied.code, denied.message)
        # A namespace itself is in reach of its own Roles.
        place = name if resource.kind == "Namespace" else namespace
        self._access.check(user=user, verb=verb, resource=resource, namespace=place, name=name, sub=sub)
        if sub:
            return await self._sub(request, resource, namespace, name, sub)
        body = await self._act(request, verb, resource, namespace, name, user)
        return body if isinstance(body, web.StreamResponse) else web.json_response(body, status=201 if verb == "create" else 200)

    async def _act(
        self, request: web.Request, verb: str, resource: Resource, namespace: str, name: str, user: str
    ) -> Json | web.StreamResponse:
        query = request.query
        if verb == "get":
            return self._store.get(resource, namespace, name)
        if verb == "list":
            items = self._store.list(resource, namespace, query.get("labelSelector", ""), query.get("fieldSelector", ""))
            return {
                "kind": f"{resource.kind}List",
                "apiVersion": resource.api_version,
                "metadata": {"resourceVersion": self._store.version},
                "items": items,
            }
        if verb == "watch":
            return await self._watch(request, resource, namespace)
        if verb == "create":
            return self._create(resource, namespace, await _body(request), user, dry="dryRun" in query)
        if verb == "delete":
            return self._delete(resource, namespace, name, await _body(request) if request.can_read_body else {}, query)
        present = self._store.get(resource, namespace, name)
        body = await _body(request)
        if verb == "patch":
            if request.content_type not in ("application/merge-patch+json", "application/strategic-merge-patch+json"):
                raise ApiError(501, f"the embedded cluster knows no {request.content_type}")
            precondition = body.get("metadata", {}).get("resourceVersion")
            body = merge(present, body)
            body["metadata"]["resourceVersion"] = precondition
        check_quantities(resource.kind, body.get("spec"))
        _encode(resource, body)
        check_object(resource.kind, body)
        if resource is _CLAIM:
            admit_claim(self._store, namespace, present, body)
        check_workload(resource, present, body)
        if resource.group == "batch":
            check_job(resource, body)
        elif resource.kind == "Role":
            self._access.check_escalation(user, namespace, body)
        return self._store.replace(resource, namespace, name, body, dry="dryRun" in query)

    def _create(self, resource: Resource, namespace: str, body: Json, user: str, dry: bool) -> Json:
        if resource.kind == "SelfSubjectReview":
            return {**body, "status": {"userInfo": {"username": user}}}
        if resource.kind == "SelfSubjectAccessReview":
            asked = body["spec"].get("resourceAttributes") or {}
            target = asked.get("resource", "") + (f"/{asked['subresource']}" if asked.get("subresource") else "")
            allowed = self._access.allows(
                user=user,
                verb=asked.get("verb", ""),
                group=asked.get("group", ""),
                resource=target,
                namespace=asked.get("namespace", ""),
                name=asked.get("name", ""),
            )
            return {**body, "status": {"allowed": allowed}}
        if resource.kind == "SelfSubjectRulesReview":
            return {
                **body,
                "status": {
                    "incomplete": False,
                    "nonResourceRules": [],
                    "resourceRules": list(self._access.rules(user, body["spec"]["namespace"])),
                },
            }
        if resource.namespaced and self._store.peek(BY_KIND["Namespace"], "", namespace) is None:
            raise not_found("namespaces", namespace)
        check_quantities(resource.kind, body.get("spec"))
        _encode(resource, body)
        check_object(resource.kind, body)
        if resource is POD:
            body["metadata"]["name"] = body["metadata"].get("name") or body["metadata"].get("generateName", "") + uuid.uuid4().hex[:5]
            if self._store.peek(POD, namespace, body["metadata"]["name"]) is None:
                admit_pod(self._store, namespace, body)
            body["status"] = {"phase": "Pending", "conditions": []}
        elif resource.group == "apps":
            check_workload(resource, None, body)
        elif resource.kind == "Role":
            self._access.check_escalation(user, namespace, body)
        elif resource.group == "batch":
            check_job(resource, body)
            body["status"] = {}
        elif resource is _CLAIM:
            if self._store.peek(_CLAIM, namespace, body["metadata"].get("name", "")) is None:
                admit_claim(self._store, namespace, None, body)
            body["status"] = {"phase": "Pending"}
        elif resource.kind == "ResourceQuota":
            body["status"] = {"hard": body["spec"]["hard"], "used": dict.fromkeys(body["spec"]["hard"], "0")}
        if dry:
            return body
        made = self._store.create(resource, namespace, body)
        if resource.kind == "Namespace":
            self._store.create(BY_KIND["ServiceAccount"], made["metadata"]["name"], {"metadata": {"name": "default"}})
            certificates = {"metadata": {"name": CERTIFICATES}, "data": {"ca.crt": self._authority}}
            self._store.create(BY_KIND["ConfigMap"], made["metadata"]["name"], certificates)
            self._store.change(resource, "", made["metadata"]["name"], lambda item: item.update({"status": {"phase": "Active"}}))
        return made

    def _delete(self, resource: Resource, namespace: str, name: str, options: Json, query: Any) -> Json:
        present = self._store.get(resource, namespace, name)
        asked, why = options.get("preconditions") or {}, ""
        if asked.get("uid", present["metadata"]["uid"]) != present["metadata"]["uid"]:
            why = other_uid(asked["uid"], present["metadata"]["uid"])
        elif asked.get("resourceVersion", present["metadata"]["resourceVersion"]) != present["metadata"]["resourceVersion"]:
            why = other_version(asked["resourceVersion"], present["metadata"]["resourceVersion"])
        if why:
            raise ApiError(409, f'Operation cannot be fulfilled on {resource.kind} "{name}": {why}')
        if "dryRun" in query:
            return present
        if resource is POD:
            if "deletionTimestamp" not in present["metadata"]:
                grace = options.get(
                    "gracePeriodSeconds", query.get("gracePeriodSeconds", present["spec"].get("terminationGracePeriodSeconds", 30))
                )
                self._kubelet.delete(present, float(grace))
            return self._store.get(POD, namespace, name)
        if resource.kind == "Namespace":
            self._store.change(resource, "", name, lambda item: item["metadata"].update({"deletionTimestamp": now()}))
            return self._store.get(resource, "", name)
        if resource.kind == "Job" and "Background" not in (options.get("propagationPolicy"), query.get("propagationPolicy")):
            raise ApiError(501, "the embedded cluster deletes a Job with its pods only: propagationPolicy Background")
        self._store.remove(resource, namespace, name)
        if resource.kind in _ANSWERED_WITH_OBJECT:
            return present
        return {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Success",
            "details": {"name": name, "kind": resource.plural, "uid": present["metadata"]["uid"]},
        }

    async def _watch(self, request: web.Request, resource: Resource, namespace: str) -> web.StreamResponse:
        query = request.query
        labels, names = query.get("labelSelector", ""), query.get("fieldSelector", "")
        version = query.get("resourceVersion", "")
        past, queue = self._store.watch_from("" if version == "0" else version)
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        response.enable_chunked_encoding()
        await response.prepare(request)
        end = asyncio.get_running_loop().time() + float(query.get("timeoutSeconds") or 1800)
        try:
            if version in ("", "0"):
                for item in self._store.list(resource, namespace, labels, names):
                    await _send(response, "ADDED", item)
            for change in past:
                if (
                    change.resource is resource
                    and namespace in ("", change.object["metadata"].get("namespace"))
                    and _selected(labels, names, change.object)
                ):
                    await _send(response, change.type, change.object)
            while True:
                try:
                    following = await asyncio.wait_for(queue.get(), max(0.01, end - asyncio.get_running_loop().time()))
                except asyncio.TimeoutError:
                    break
                if following is None:
                    await _send(response, "ERROR", ApiError(410, "too old resource version").body)
                    break
                if (
                    following.resource is resource
                    and namespace in ("", following.object["metadata"].get("namespace"))
                    and _selected(labels, names, following.object)
                ):
                    await _send(response, following.type, following.object)
        except (ConnectionError, RuntimeError):
            pass  # the client has gone
        finally:
            self._store.unwatch(queue)
        return response

    async def _sub(self, request: web.Request, resource: Resource, namespace: str, name: str, sub: str) -> web.StreamResponse:
        item = self._store.get(resource, namespace, name)
        if resource is POD and sub == "exec":
            return await self._exec(request, namespace, item)
        if resource is POD and sub == "log":
            return self._log(request, item)
        if resource.kind == "ServiceAccount" and sub == "token" and request.method == "POST":
            return web.json_response(self._token_request(await _body(request), namespace, name), status=201)
        if sub == "scale" and request.method in ("GET", "PATCH", "PUT"):
            if request.method != "GET":
                replicas = (await _body(request))["spec"]["replicas"]
                item = self._store.replace(resource, namespace, name, merge(item, {"spec": {"replicas": replicas}}))
            return web.json_response(
                {
                    "kind": "Scale",
                    "apiVersion": "autoscaling/v1",
                    "metadata": item["metadata"],
                    "spec": {"replicas": item["spec"].get("replicas", 1)},
                }
            )
        if sub == "status" and request.method == "GET":
            return web.json_response(self._quota_status(item) if resource.kind == "ResourceQuota" else item)
        raise ApiError(501, f"the embedded cluster has no {resource.plural}/{sub}")

    def _log(self, request: web.Request, pod: Json) -> web.Response:
        name, previous = _container(request, pod), request.query.get("previous") in ("true", "1")
        text = self._kubelet.log(pod, name, previous)
        if text is None and previous:
            raise ApiError(400, f'previous terminated container "{name}" in pod "{pod["metadata"]["name"]}" not found')
        if text is None:
            state: Json = next((item["state"] for item in pod["status"].get("containerStatuses") or [] if item["name"] == name), {})
            why = (state.get("waiting") or {"reason": "ContainerCreating"})["reason"]
            raise ApiError(400, f'container "{name}" in pod "{pod["metadata"]["name"]}" is waiting to start: {why}')
        lines = text.splitlines(keepends=True)
        return web.Response(body=b"".join(lines[-int(request.query.get("tailLines", "100000")) :]), content_type="text/plain")

    def _token_request(self, asked: Json, namespace: str, name: str) -> Json:
        """Return a token for a service account, with what was asked for (kubernetes/pkg/registry/core/serviceaccount/storage/token.go)."""
        spec = {"audiences": ["https://kubernetes.default.svc"], "expirationSeconds": 3600, **(asked.get("spec") or {})}
        if spec["expirationSeconds"] < _SHORTEST_TOKEN:
            words = "may not specify a duration less than 10 minutes"
            raise ApiError(422, f'TokenRequest.authentication.k8s.io "{name}" is invalid: spec.expirationSeconds: Invalid value: {words}')
        return {
            "kind": "TokenRequest",
            "apiVersion": "authentication.k8s.io/v1",
            "metadata": {"name": name, "namespace": namespace, "creationTimestamp": now()},
            "spec": spec,
            "status": {"token": self._tokens.issue(namespace, name), "expirationTimestamp": now(spec["expirationSeconds"])},
        }

    def _quota_status(self, item: Json) -> Json:
        pods = self._store.list(POD, item["metadata"]["namespace"])
        used = {
            key: str(sum(usage(pod).get(key, 0.0) for pod in pods))
            for key in item["spec"]["hard"]
            if quantity(item["spec"]["hard"][key]) >= 0
        }
        return {**item, "status": {"hard": item["spec"]["hard"], "used": used}}

    async def _exec(self, request: web.Request, namespace: str, pod: Json) -> web.StreamResponse:
        name, wanted = pod["metadata"]["name"], _container(request, pod)
        container = self._kubelet.container(pod, wanted)
        if container is None or not container.first:
            raise ApiError(500, f'container not found ("{wanted}")', "InternalError")
        if request.headers.get("Upgrade", "").lower() != "websocket":
            raise ApiError(400, "you must specify a websocket upgrade: the embedded cluster has no SPDY")
        command = request.query.getall("command")
        fault = self._faults.take("drop_connection", namespace, "", "", name)
        return await serve_exec(request, container, command, request.query.get("stdin") in ("true", "1"), fault)

    async def _control(self, request: web.Request, parts: list[str]) -> web.StreamResponse:
        """For tests: faults, and what was asked."""
        self._user(request)
        if parts == ["requests"]:
            counted = dict(self._requests)
            if request.method == "DELETE":
                self._requests.clear()
            return web.json_response(counted)
        if parts == ["faults"] and request.method == "DELETE":
            self._faults.clear()
            return web.json_response({})
        if parts == ["faults"] and request.method == "GET":
            return web.json_response(self._faults.left())
        if parts == ["faults"] and request.method == "POST":
            asked = await _body(request)
            if asked.get("kind") == "expire_watch":
                self._store.expire()
            else:
                self._faults.add(Fault(**{key: value for key, value in asked.items() if key in {item.name for item in fields(Fault)}}))
            return web.json_response({})
        raise ApiError(404, "no such control")

    def _user(self, request: web.Request) -> str:
        scheme, _space, token = request.headers.get("Authorization", "").partition(" ")
        user = self._tokens.user(token)
        if scheme.lower() != "bearer" or user is None:
            raise ApiError(401, "Unauthorized")
        return user


def _discovery(parts: list[str]) -> Json | None:
    """Answers about the API itself; None for everything else."""
    groups = sorted({resource.group for resource in RESOURCES if resource.group})
    if not parts or parts == ["version"]:
        return {"major": "1", "minor": "34", "gitVersion": "v1.34.4-embedded"}
    if parts in (["readyz"], ["healthz"]):
        return {"status": "ok"}
    if parts == ["api"]:
        return {"kind": "APIVersions", "versions": ["v1"]}
    versions = {item.group: item.version for item in RESOURCES}
    described = [{"name": group, "versions": [_version(group, versions)], "preferredVersion": _version(group, versions)} for group in groups]
    if parts == ["apis"]:
        return {"kind": "APIGroupList", "apiVersion": "v1", "groups": described}
    if parts[0] == "apis" and len(parts) == 2 and parts[1] in groups:
        return {"kind": "APIGroup", "apiVersion": "v1", **described[groups.index(parts[1])]}
    if parts == ["api", "v1"] or (parts[0] == "apis" and len(parts) == 3 and parts[2] == versions.get(parts[1])):
        group = "" if parts[0] == "api" else parts[1]
        listed = [
            {
                "name": item.plural,
                "singularName": item.kind.lower(),
                "namespaced": item.namespaced,
                "kind": item.kind,
                "verbs": VERBS,
                "shortNames": [item.short] if item.short else [],
            }
            for item in RESOURCES
            if item.group == group
        ]
        if not group:
            listed.append(
                {"name": "pods/exec", "singularName": "", "namespaced": True, "kind": "PodExecOptions", "verbs": ["create", "get"]}
            )
            listed.append({"name": "pods/log", "singularName": "", "namespaced": True, "kind": "Pod", "verbs": ["get"]})
        return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": "/".join(parts[1:]), "resources": listed}
    if parts[0] not in ("api", "apis"):
        raise ApiError(404, "the server could not find the requested resource", "NotFound")
    return None


def _encode(resource: Resource, body: Json) -> None:
    """Do to a Secret's text what the API does."""
    if resource.kind == "Secret":
        texts = body.pop("stringData", None) or {}
        body["data"] = {**(body.get("data") or {}), **{key: base64.b64encode(value.encode()).decode() for key, value in texts.items()}}


def _container(request: web.Request, pod: Json) -> str:
    """Return the container that a request means. Raises a 400."""
    name, known = pod["metadata"]["name"], [item["name"] for item in pod["spec"]["containers"]]
    wanted = request.query.get("container") or (known[0] if len(known) == 1 else "")
    if not wanted:
        raise ApiError(400, f"a container name must be specified for pod {name}, choose one of: [{' '.join(known)}]")
    if wanted not in known:
        raise ApiError(400, f"container {wanted} is not valid for pod {name}")
    return wanted


def _version(group: str, versions: dict[str, str]) -> Json:
    return {"groupVersion": f"{group}/{versions[group]}", "version": versions[group]}


def _verb(request: web.Request, name: str, sub: str) -> str:
    if sub == "exec":
        return "get" if request.method == "GET" else "create"
    if request.method == "GET":
        if request.query.get("watch") in ("true", "1"):
            return "watch"
        return "get" if name else "list"
    return {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}[request.method]


def _selected(labels: str, names: str, item: Json) -> bool:
    return matches_labels(labels, item) and matches_fields(names, item)


async def _body(request: web.Request) -> Json:
    try:
        data = json.loads(await request.read() or b"{}")
    except ValueError as error:
        raise ApiError(400, f"the object provided is unrecognized: {error}") from error
    if not isinstance(data, dict):
        raise ApiError(400, "the object provided is no object")
    return data


async def _send(response: web.StreamResponse, kind: str, item: Json) -> None:
    await response.write(json.dumps({"type": kind, "object": item}).encode() + b"\n")
