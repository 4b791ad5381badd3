# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors as the API answers them."""

from __future__ import annotations

from typing import Any

_REASONS = {
    400: "BadRequest", 401: "Unauthorized", 403: "Forbidden", 404: "NotFound", 405: "MethodNotAllowed", 409: "Conflict",
    410: "Expired", 422: "Invalid", 500: "InternalError", 501: "NotImplemented",
}  # fmt: skip


class ApiError(Exception):
    """An answer other than success."""

    def __init__(self, code: int, message: str, reason: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.body: dict[str, Any] = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": message,
            "reason": reason or _REASONS.get(code, "Unknown"),
            "code": code,
        }


def not_found(resource: str, name: str) -> ApiError:
    """There is no such object."""
    return ApiError(404, f'{resource} "{name}" not found')


def forbidden(resource: str, name: str, why: str) -> ApiError:
    """An admission plugin or RBAC says no."""
    shown = f'{resource} "{name}"' if name else resource
    return ApiError(403, f"{shown} is forbidden: {why}")
