"""docs/openapi.yaml: accepted by an off-the-shelf validator, and true of the running server, path by path."""

import json
import os
import re
import shutil
import subprocess
import time

import jsonschema
import pytest
import yaml

import conftest
from harness import procs
from harness.api import OPERATE, READ, Fleet, iccid

_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
with open(os.path.join(_ROOT, "docs", "openapi.yaml")) as f:
    DESCRIPTION = yaml.safe_load(f)
METHODS = ("get", "put", "post", "delete")
OPERATIONS = [(path, method) for path, item in DESCRIPTION["paths"].items() for method in METHODS if method in item]


def resolve(node):
    while isinstance(node, dict) and "$ref" in node:
        target = DESCRIPTION
        for part in node["$ref"][2:].split("/"):
            target = target[part]
        node = target
    return node


def strict(node):
    """An OpenAPI 3.0 schema as JSON Schema, in which members that are not described are wrong."""
    node = resolve(node)
    if not isinstance(node, dict):
        return node
    out = {k: v for k, v in node.items() if k in ("type", "enum", "pattern", "minimum", "maximum", "minItems", "maxItems", "minLength", "maxLength", "required", "format")}
    if "properties" in node:
        out["properties"] = {k: strict(v) for k, v in node["properties"].items()}
        out["additionalProperties"] = False
    elif "additionalProperties" in node:
        out["additionalProperties"] = strict(node["additionalProperties"])
    if "items" in node:
        out["items"] = strict(node["items"])
    if "oneOf" in node:
        out["oneOf"] = [strict(n) for n in node["oneOf"]]
    return {"anyOf": [out, {"type": "null"}]} if node.get("nullable") else out


def response_of(path, method, status):
    found = DESCRIPTION["paths"][path][method]["responses"].get(str(status))
    assert found is not None, "%s %s: %s is not described" % (method, path, status)
    return resolve(found)


def hold(path, method, status, headers, body):
    """An answer against the description: status, type, members."""
    response = response_of(path, method, status)
    if "content" not in response:
        assert not body
        return
    kind = headers["Content-Type"].split(";")[0]
    assert kind in response["content"], (path, status, kind)
    for name in response.get("headers", {}):
        if not (name == "Location" and body.get("location") is None):
            assert headers.get(name), (path, status, name)
    if "json" in kind:
        jsonschema.validate(body, strict(response["content"][kind]["schema"]), format_checker=jsonschema.FormatChecker())


@pytest.fixture(scope="module")
def fleet(kafka):
    made = []

    def make(**how):
        made.append(conftest.World(kafka, **how))
        return made[-1]
    one = Fleet(make)
    yield one
    one.end()
    for w in made:
        w.close()


@pytest.fixture(scope="module")
def api(fleet):
    return fleet.serve(body_max=4096, bulk_body_max=8192)


@pytest.fixture(scope="module")
def known(fleet, api):
    """A value for each parameter of a path, so that there is something to show: a card with a history, requests, a bulk."""
    card = fleet.SINGLE[0]
    asked = api.post("/v1/cards/%s/requests" % card, {"action": "suspend", "by": "mei"})
    api.settled(asked)
    procs.wait_for(lambda: (api.get("/v1/cards/" + card)["command"] or {}).get("state") == "confirmed", 20, "the suspension to be confirmed")
    pool = api.post("/v1/pools/backward/requests", {"action": "freeze"})
    api.settled(pool)
    bulk = api.post("/v1/bulk", {"action": "suspend", "target": {"iccids": [fleet.SINGLE[1], iccid(999)]}})
    procs.wait_for(lambda: api.get(bulk["location"])["state"] == "done", 30, "the bulk request")
    return {"iccid": card, "pool": "backward", "card_request": asked["id"], "pool_request": pool["id"], "bulk": bulk["id"]}


def fill(path, known, missing=False):
    which = "bulk" if "/bulk/" in path else "pool_request" if "/pools/" in path else "card_request"
    values = {"iccid": iccid(999), "pool": "nowhere", "id": "0" * 32} if missing else {**known, "id": known[which]}
    return re.sub(r"\{(\w+)\}", lambda m: values[m[1]], path)


BODIES = {
    "/v1/cards/{iccid}/requests": {"action": "addon", "bytes": 1}, "/v1/cards/{iccid}/tags": {"tags": ["a"]},
    "/v1/cards/{iccid}/remark": {"remark": "b"}, "/v1/pools/{pool}/requests": {"action": "paid"},
    "/v1/guard/requests": {"action": "release"}, "/v1/bulk": {"action": "resume", "target": {"pool": "backward"}}}


def test_a_validator_accepts_it(tmp_path):
    """JSON::Validator, which knows the schema of OpenAPI 3.0 itself."""
    if not shutil.which("perl") or subprocess.run(["perl", "-MJSON::Validator", "-e1"], stderr=subprocess.DEVNULL).returncode:
        pytest.skip("libjson-validator-perl is not installed")
    file = tmp_path / "openapi.json"
    file.write_text(json.dumps(DESCRIPTION))
    done = subprocess.run(["perl", "-MJSON::Validator", "-e", 'my $s = JSON::Validator->new->schema($ARGV[0])->schema; print ref $s, "\\n"; print "$_\\n" for @{$s->errors}',
                           "file://%s" % file], stdout=subprocess.PIPE, check=True)
    assert done.stdout.decode().split() == ["JSON::Validator::Schema::OpenAPIv3"], done.stdout.decode()


def test_the_server_gives_it(api):
    status, headers, body = api.ask("GET", "/v1/openapi", token=None)
    assert status == 200 and yaml.safe_load(body) == DESCRIPTION
    assert api.ask("GET", "/v1/openapi", token=None, headers={"If-None-Match": headers["ETag"]})[0] == 304


def test_each_route_is_described_and_each_description_is_a_route(api):
    """The table in the server and the paths of the description are the same."""
    with open(os.path.join(_ROOT, "pipeline", "http", "api", "routes.c")) as f:
        routes = {(m[2], m[1].lower()) for m in re.finditer(r'^\s*\{"(\w+)", "(/[^"]*)"', f.read(), re.M)}
    assert routes == {(re.sub(r"\{\w+\}", "{}", path), method) for path, method in OPERATIONS}


@pytest.mark.parametrize("path,method", OPERATIONS)
def test_answers_are_as_described(api, known, path, method):
    operation = DESCRIPTION["paths"][path][method]
    body = BODIES.get(path)
    responses = {}

    def ask(wanted, url=None, body=body, token=OPERATE, headers=None):
        status, got, answer = api.ask(method.upper(), url or fill(path, known), body, token=token, headers=headers)
        assert status == wanted, (method, url or path, status, answer)
        hold(path, method, status, got, answer)
        responses[str(status)] = True
        return answer
    ask(202 if body else 200)
    if operation.get("security") == []:
        ask(200, token=None)
    else:
        ask(401, token=None)
        ask(401, token="no-such-token-0123456789")
    if body:
        ask(403, token=READ)
        ask(400, body={**body, "nonsense": 1})
        ask(400, body="{")
        ask(413, body=json.dumps({"action": "x" * 9000}))
        ask(415, headers={"Content-Type": "text/plain"})
        key = {"Idempotency-Key": "%s %s" % (method, path)}
        ask(202, headers=key)
        ask(409, body={**body, "by": "another"} if "action" in body else {k: [] if k == "tags" else None for k in body}, headers=key)
    if "404" in operation["responses"] and "{" in path:
        ask(404, url=fill(path, known, missing=True))
    for parameter in (resolve(p) for p in DESCRIPTION["paths"][path].get("parameters", []) + operation.get("parameters", [])):
        if parameter["in"] == "query" and parameter["name"] not in ("q", "name"):
            bad = "x" * 65
            answer = ask(400, url=fill(path, known) + "?%s=%s" % (parameter["name"], bad))
            assert answer["parameter"] == parameter["name"], answer
    if "400" in operation["responses"]:
        assert ask(400, url=fill(path, known) + "?nonsense=1")["parameter"] == "nonsense"
    missing = set(operation["responses"]) - set(responses) - {"429", "500", "503", "304"}
    if path in ("/v1/cards", "/v1/export/cards.csv"):
        ask(404, url=path + "?pool=nowhere")
        missing.discard("404")
    if path == "/v1/bulk":
        ask(404, body={"action": "suspend", "target": {"pool": "nowhere"}})
        missing.discard("404")
    assert not missing, "described, and never seen: %s" % missing


def test_more_shapes(fleet, api, known):
    """Lists with something in them, usage by each window, states of requests, results in bulk."""
    for path, url in [("/v1/cards", "/v1/cards?reason=manual&limit=1"), ("/v1/pools", "/v1/pools?limit=1&kind=metered,accumulative"),
                      ("/v1/pools/{pool}", "/v1/pools/pool%2Fone"), ("/v1/pools/{pool}/members", "/v1/pools/pool%2Fone/members?limit=2")] + [
                      ("/v1/%s/usage" % p, "/v1/%s/usage?window=%s" % (v, w)) for w in ("hour", "day", "cycle")
                      for p, v in (("cards/{iccid}", "cards/" + known["iccid"]), ("pools/{pool}", "pools/pool%2Fone"))]:
        status, headers, body = api.ask("GET", url)
        assert status == 200, (url, body)
        hold(path, "get", status, headers, body)
    assert api.get("/v1/cards/%s/commands" % known["iccid"])["commands"]


def test_too_many_and_away(fleet):
    """429 and 503 of each path are problems as described."""
    slow = fleet.serve(rate_per_s=1)
    slow.ask("GET", "/v1/me")
    status, headers, body = slow.ask("GET", "/v1/me")
    assert status == 429
    hold("/v1/me", "get", status, headers, body)
    away = fleet.serve(redis={"url": "redis://127.0.0.1:1"})
    for path, method in OPERATIONS:
        if "503" not in DESCRIPTION["paths"][path][method]["responses"] or path == "/v1/guard/requests":
            continue
        url = fill(path, {"iccid": iccid(100), "pool": "backward", "card_request": "0" * 32, "pool_request": "0" * 32, "bulk": "0" * 32})
        time.sleep(0.25)
        status, headers, body = away.ask(method.upper(), url, BODIES.get(path), token=OPERATE)
        assert status == 503, (path, status, body)
        hold(path, method, status, headers, body)
