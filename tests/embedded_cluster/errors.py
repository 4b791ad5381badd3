"""The API's errors, as Status objects with the reasons and messages of Kubernetes' own API server.

Source of facts: answers of a real API server 1.34, recorded by tests/contract.
"""

from __future__ import annotations

from .resources import Object, Resource

_REASONS = {
    400: "BadRequest", 401: "Unauthorized", 403: "Forbidden", 404: "NotFound", 405: "MethodNotAllowed", 409: "Conflict", 410: "Expired",
    415: "UnsupportedMediaType", 422: "Invalid", 429: "TooManyRequests", 500: "InternalError", 501: "NotImplemented", 503: "ServiceUnavailable",
}  # fmt: skip


class ApiError(Exception):
    """A request is answered with a Status. ``code`` is the HTTP status."""

    def __init__(self, code: int, message: str, *, reason: str = "", details: Object | None = None) -> None:
        super().__init__(message)
        self.code, self.message, self.reason, self.details = code, message, reason or _REASONS[code], details

    def status(self) -> Object:
        """The body of the answer."""
        body: Object = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": self.message, "reason": self.reason}
        return {**body, **({"details": self.details} if self.details else {}), "code": self.code}


def _named(resource: Resource, name: str) -> Object:
    return {"name": name, **({"group": resource.group} if resource.group else {}), "kind": resource.plural}


def not_found(resource: Resource, name: str) -> ApiError:
    """404 for an object."""
    return ApiError(404, f'{resource.qualified} "{name}" not found', details=_named(resource, name))


def no_such_path() -> ApiError:
    """404 for a path that the API does not have."""
    return ApiError(404, "the server could not find the requested resource", details={})


def already_exists(resource: Resource, name: str) -> ApiError:
    """409 for a name that is taken."""
    return ApiError(409, f'{resource.qualified} "{name}" already exists', reason="AlreadyExists", details=_named(resource, name))


def conflict(resource: Resource, name: str, what: str = "") -> ApiError:
    """409 for a precondition that does not hold."""
    what = what or "the object has been modified; please apply your changes to the latest version and try again"
    return ApiError(409, f'Operation cannot be fulfilled on {resource.qualified} "{name}": {what}', details=_named(resource, name))


def forbidden(resource: Resource, name: str, why: str) -> ApiError:
    """403 for one object, or all of a kind where ``name`` is empty."""
    subject = f'{resource.qualified} "{name}"' if name else resource.qualified
    return ApiError(403, f"{subject} is forbidden: {why}", details={key: value for key, value in _named(resource, name).items() if value})


def invalid(resource: Resource, name: str, causes: list[tuple[str, str, str]]) -> ApiError:
    """422. Each cause is a field, a reason such as FieldValueInvalid, and a message."""
    messages = [f"{field}: {message}" for field, _, message in causes]
    text = messages[0] if len(messages) == 1 else f"[{', '.join(messages)}]"
    details = {
        "name": name,
        **({"group": resource.group} if resource.group else {}),
        "kind": resource.kind,
        "causes": [{"reason": reason, "message": message, "field": field} for field, reason, message in causes],
    }
    subject = f"{resource.kind}.{resource.group}" if resource.group else resource.kind
    return ApiError(422, f'{subject} "{name}" is invalid: {text}', details=details)


def bad_request(message: str) -> ApiError:
    """400."""
    return ApiError(400, message)


def expired(wanted: int, oldest: int) -> ApiError:
    """410: the changes since that version are forgotten."""
    return ApiError(410, f"too old resource version: {wanted} ({oldest})")


def not_implemented(what: str) -> ApiError:
    """501: what Kubernetes can do and the embedded cluster cannot."""
    return ApiError(501, f"the embedded cluster does not implement {what}")
