# Copyright (c) 2026, oomguard.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Serve as much of AWX's REST API as the modules of awx.awx need for awx_setup.

AWX itself cannot be installed from a registry. This keeps objects in memory, and follows AWX 24.6
in what decides whether a second run changes something: names are unique where AWX has them unique,
a survey and an approval are objects of their own, and lists are associations.
"""

import http.server
import json
import threading
from urllib.parse import parse_qsl, urlsplit

ROOT = "/api/v2/"
TOKEN = "a-token"
# What AWX returns if nothing was posted. Only fields that awx_setup passes are compared.
DEFAULTS = {"schedules": {"enabled": True}, "projects": {"scm_revision": ""}}
WEBHOOK = {"http_method": "POST", "disable_ssl_verification": False, "username": ""}
SECRET = {"password": "$encrypted$"}
# Below these endpoints a name is unique in all of AWX, else within an organization.
GLOBAL = {"organizations", "users", "instance_groups", "execution_environments"}
TEMPLATES = ("job_templates", "workflow_job_templates", "projects")
PARENTS = {"organization": "organizations", "credential_type": "credential_types"}
ROLES = ("approval_role", "read_role")


class Refusal(Exception):
    """AWX answers with status 400."""


class Awx:
    """The objects of AWX, by endpoint and id, and the associations between them."""

    def __init__(self, playbooks):
        self.playbooks = set(playbooks)
        self.objects = {}
        self.associations = {}
        self.surveys = {}
        self.requests = []

    def add(self, endpoint, **fields):
        """Store an object, as a POST does, and return it."""
        self._check(endpoint, fields)
        found = self.objects.setdefault(endpoint, [])
        number = 1 + sum(map(len, self.objects.values()))
        url = f"{ROOT}{endpoint}/{number}/"
        summary = {
            field: {"id": fields[field], "name": self.get(PARENTS[field], fields[field])["name"]}
            for field in PARENTS
            if fields.get(field)
        }
        summary["object_roles"] = {role: {"id": number * 10 + at} for at, role in enumerate(ROLES)}
        found.append(
            {
                **DEFAULTS.get(endpoint, {}),
                **shown(endpoint, fields),
                "id": number,
                "type": fields.get("type", endpoint[:-1]),
                "url": url,
                "related": {"survey_spec": url + "survey_spec/"},
                "summary_fields": summary,
            }
        )
        return found[-1]

    def get(self, endpoint, number):
        """Return an object by its id. Raises KeyError."""
        for item in self.objects.get(endpoint, []):
            if item["id"] == int(number):
                return item
        raise KeyError(f"{endpoint}/{number}")

    def list(self, endpoint, query):
        """Return the objects that match all conditions of a query."""
        any_of = {key[4:]: value for key, value in query.items() if key.startswith("or__")}
        all_of = {key: value for key, value in query.items() if not key.startswith(("or__", "page"))}
        endpoints = TEMPLATES if endpoint == "unified_job_templates" else (endpoint,)
        return [
            item
            for one in endpoints
            for item in self.objects.get(one, [])
            if all(self._value(item, key) == value for key, value in all_of.items())
            and (not any_of or any(self._value(item, key) == value for key, value in any_of.items()))
        ]

    def _value(self, item, path):
        """Return the field that a condition names, such as organization__name, as text."""
        first, _separator, rest = path.partition("__")
        value = item.get(first)
        return self._value(self.get(PARENTS[first], value), rest) if rest and value else str(value)

    def _check(self, endpoint, fields):
        """Refuse what AWX would refuse. Raises Refusal."""
        if endpoint == "job_templates" and fields["playbook"] not in self.playbooks:
            raise Refusal({"playbook": ["Playbook not found for project."]})
        if endpoint == "workflow_approval_templates":
            return
        same = [
            item
            for item in self.objects.get(endpoint, [])
            if "name" in fields
            and item.get("name") == fields["name"]
            and (endpoint in GLOBAL or item.get("organization") == fields.get("organization"))
            and item.get("credential_type") == fields.get("credential_type")
            and item.get("unified_job_template") == fields.get("unified_job_template")
        ]
        if same:
            raise Refusal({"__all__": [f"{endpoint} with this name already exists."]})

    def answer(self, method, path, query, data):
        """Return status and body of a request. Raises KeyError and Refusal."""
        parts = path[len(ROOT) :].strip("/").split("/")
        if parts == ["ping"]:
            return 200, {}
        if len(parts) == 1:
            return (200, listed(self.list(parts[0], query))) if method == "GET" else (201, self.add(parts[0], **data))
        if len(parts) == 2:
            item = self.get(*parts)
            item.update(shown(parts[0], data) if method == "PATCH" else {})
            return 200, item
        return self._answer_below(method, *parts[:3], data)

    def _answer_below(self, method, endpoint, number, name, data):
        """Answer a request below an object: its survey, its approval, or an association."""
        if name == "survey_spec":
            if method == "POST":
                self.surveys[endpoint, number] = data
            return 200, self.surveys.get((endpoint, number), {})
        if name == "create_approval_template":
            created = self.add("workflow_approval_templates", **data)
            node = self.get(endpoint, number)
            node["unified_job_template"] = created["id"]
            node["related"]["unified_job_template"] = created["url"]
            return 201, created
        linked = self.associations.setdefault((endpoint, number, name), [])
        if method == "GET":
            return 200, listed([{"id": one} for one in linked])
        if data.get("disassociate"):
            linked.remove(data["id"])
        else:
            linked.append(data["id"])
        return 204, None


def shown(endpoint, fields):
    """Return fields as AWX shows them: with defaults, and without even an empty password."""
    if endpoint == "notification_templates":
        return {**fields, "notification_configuration": {**WEBHOOK, **fields["notification_configuration"], **SECRET}}
    return fields


def listed(items):
    return {"count": len(items), "next": None, "results": items}


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers the requests of one server."""

    def _handle(self):
        size = int(self.headers.get("Content-Length") or 0)
        data = json.loads(self.rfile.read(size) or "{}") if size else {}
        url = urlsplit(self.path)
        awx = self.server.awx
        if self.headers.get("Authorization") != "Bearer " + TOKEN:
            return self._send(401, {"detail": "Authentication credentials were not provided."})
        if self.command != "GET":
            awx.requests.append((self.command, url.path))
        try:
            status, body = awx.answer(self.command, url.path, dict(parse_qsl(url.query)), data)
        except KeyError:
            status, body = 404, {"detail": "Not found."}
        except Refusal as refusal:
            status, body = 400, refusal.args[0]
        return self._send(status, body)

    def _send(self, status, body):
        content = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PATCH = do_DELETE = _handle

    def log_message(self, *_arguments):
        """Print nothing."""


class Server:
    """Serves an AWX on a free port of this machine until it is closed."""

    def __init__(self, awx):
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.awx = awx
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()
