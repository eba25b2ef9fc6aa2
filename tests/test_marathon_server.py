"""The stand-in for Marathon is as strict as Marathon: what it says of apps, and what it refuses; in virtual time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from marathon_client import SMALL, Client
from marathon_memory import Memory, Node, Program
from marathon_server import MarathonServer
from marathon_settings import Settings

pytestmark = pytest.mark.looptime

WRONG = "Object is not valid"
COMMAND = "AppDefinition must either contain one of 'cmd' or 'args', and/or a 'container'."


@pytest.fixture
def memory() -> Memory:
    """Room for four. A task takes a second to end."""
    nodes = [Node(name=name, cpus=0.2, mem=1000) for name in ("one", "two")]
    return Memory(*nodes, program=Program(stop=1.0))


@pytest.fixture
def settings() -> Settings:
    return Settings()


@pytest.fixture
async def server(memory: Memory, settings: Settings) -> AsyncIterator[MarathonServer]:
    async with MarathonServer(memory, settings=settings) as server:
        yield server


@pytest.fixture
async def client(server: MarathonServer) -> AsyncIterator[Client]:
    async with Client(server.url) as client:
        yield client


async def test_a_new_app_is_started_and_then_scaled(client: Client) -> None:
    answer = await client.ask("POST", "/v2/apps", {**SMALL, "id": "a/web", "instances": 2})
    assert (answer.status, answer.headers["Location"]) == (201, "/v2/apps/a/web")
    assert answer.body["deployments"] == [{"id": answer.headers["Marathon-Deployment-Id"]}]
    (deployment,) = await client.get("/v2/deployments")
    assert deployment["affectedApps"] == ["/a/web"]
    actions = [action["action"] for step in deployment["steps"] for action in step["actions"]]
    assert actions == ["StartApplication", "ScaleApplication"]
    assert (deployment["currentStep"], deployment["totalSteps"]) == (2, 2)
    await client.settled()
    app = await client.told("/a/web")
    assert (app["tasksStaged"], app["tasksRunning"], app["tasksHealthy"], app["deployments"]) == (0, 2, 0, [])


async def test_an_app_can_be_made_only_once(client: Client) -> None:
    await client.running("/web", 1)
    answer = await client.ask("POST", "/v2/apps", {**SMALL, "id": "/web"})
    assert (answer.status, answer.body) == (409, {"message": "An app with id [/web] already exists."})


async def test_what_is_not_said_has_a_default_and_what_is_empty_is_not_told(client: Client) -> None:
    await client.made("PUT", "/v2/apps/web", {"cmd": "true"})
    app = await client.told("/web")
    usual = {"instances": 1, "cpus": 1, "mem": 128, "disk": 0, "killSelection": "YOUNGEST_FIRST"}
    usual |= {"backoffSeconds": 1, "backoffFactor": 1.15, "maxLaunchDelaySeconds": 300}
    assert usual.items() <= app.items()
    assert app["portDefinitions"] == [{"protocol": "tcp", "name": "default", "port": 10000}]
    assert {"args", "constraints", "env", "healthChecks", "taskKillGracePeriodSeconds"}.isdisjoint(app)


async def test_a_put_creates_and_a_patch_does_not(client: Client) -> None:
    assert (await client.ask("PATCH", "/v2/apps/web", {"instances": 1})).body == {
        "message": "App '/web' does not exist"
    }
    assert (await client.ask("PATCH", "/v2/apps", [{"id": "/web", "instances": 1}])).status == 404
    assert (await client.ask("PUT", "/v2/apps/web", SMALL)).status == 201
    assert (await client.ask("PUT", "/v2/apps/web", SMALL)).status == 200


@pytest.mark.parametrize(
    ("query", "mem"), [pytest.param("", 32, id="partly"), pytest.param("?partialUpdate=false", 128, id="wholly")]
)
async def test_an_update_keeps_what_it_does_not_name(client: Client, query: str, mem: int) -> None:
    await client.running("/web", 1)
    await client.made("PUT", f"/v2/apps/web{query}", {"cmd": "true", "cpus": 0.1})
    assert (await client.told("/web"))["mem"] == mem


@pytest.mark.parametrize(
    ("app", "message", "details"),
    [
        pytest.param({"instances": "2"}, "Invalid JSON", {"/instances": "error.expected.jsnumber"}, id="kind"),
        pytest.param({"instances": True}, "Invalid JSON", {"/instances": "error.expected.jsnumber"}, id="boolean"),
        pytest.param({"cmd": ""}, WRONG, {"/": COMMAND}, id="no program"),
        pytest.param({"args": ["a"]}, WRONG, {"/": COMMAND}, id="two programs"),
        pytest.param(
            {"instances": -1, "cpus": -1},
            WRONG,
            {"/cpus": "got -1, expected 0 or more", "/instances": "got -1, expected 0 or more"},
            id="all faults at once",
        ),
        pytest.param({"killSelection": "X"}, WRONG, {"/killSelection": "error.unknown.enum.literal"}, id="selection"),
        pytest.param({"labels": {"a": 1}}, WRONG, {"/labels/a": "error.expected.jsstring"}, id="label"),
        pytest.param({"env": {"A": 1}}, WRONG, {"/env/A": "error.expected.jsstring"}, id="environment"),
        pytest.param(
            {"upgradeStrategy": {"minimumHealthCapacity": 2}},
            WRONG,
            {"/upgradeStrategy/minimumHealthCapacity": "got 2, expected between 0.0 and 1.0"},
            id="upgrade",
        ),
        pytest.param(
            {"unreachableStrategy": {"inactiveAfterSeconds": 2, "expungeAfterSeconds": 1}},
            WRONG,
            {"/unreachableStrategy": "inactiveAfterSeconds must be less or equal to expungeAfterSeconds"},
            id="unreachable",
        ),
        pytest.param(
            {
                "constraints": [
                    ["hostname", "UNIQUE", "x"],
                    ["a", "LIKE"],
                    ["a", "LIKE", "("],
                    ["a", "MAX_PER", "x"],
                    ["a"],
                ]
            },
            WRONG,
            {
                "/constraints(0)": "Value specified but not used",
                "/constraints(1)": "A value is required",
                "/constraints(2)": "'(' is not a valid regular expression",
                "/constraints(3)": "Value was specified but is not a number",
                "/constraints(4)": "Constraint definition must be an array of strings: field, operator, "
                "and an optional value",
            },
            id="constraints",
        ),
        pytest.param(
            {"healthChecks": [{"protocol": "X"}, {"protocol": "COMMAND"}, {"protocol": "TCP"}]},
            WRONG,
            {
                "/healthChecks(0)/protocol": "error.unknown.enum.literal",
                "/healthChecks(1)": "Health check must specify command for protocol COMMAND, and for no other",
                "/healthChecks(2)": "Health check port indices must address an element of the ports array "
                "or container port mappings.",
            },
            id="health checks",
        ),
    ],
)
async def test_what_is_wrong_is_told_by_its_path(
    client: Client, app: dict[str, Any], message: str, details: dict[str, str]
) -> None:
    answer = await client.ask("PUT", "/v2/apps/web", {**SMALL, **app})
    assert (answer.status, answer.body["message"]) == (422, message)
    assert {each["path"]: each["errors"][0] for each in answer.body["details"]} == details


@pytest.mark.parametrize(
    ("method", "path", "body", "where"),
    [
        pytest.param("PUT", "/v2/apps", {}, "", id="no list"),
        pytest.param("PUT", "/v2/apps", ["a"], "(0)", id="no app"),
        pytest.param("PUT", "/v2/apps", [{"id": 1}], "(0)/id", id="id of another kind"),
        pytest.param("POST", "/v2/apps", SMALL, "/id", id="no id"),
    ],
)
async def test_the_form_is_checked(client: Client, method: str, path: str, body: Any, where: str) -> None:
    answer = await client.ask(method, path, body)
    assert (answer.status, answer.body["details"][0]["path"]) == (422, where)


@pytest.mark.parametrize("id_", ["/Web", "/a_b", "/-a", "/"])
async def test_an_id_is_checked(client: Client, id_: str) -> None:
    answer = await client.ask("POST", "/v2/apps", {**SMALL, "id": id_})
    assert (answer.status, answer.body["details"][0]["path"]) == (422, "/id")


async def test_several_are_changed_in_one_deployment_or_none_is(client: Client) -> None:
    await client.running("/a", 1)
    wrong = [{"id": "/a", "instances": 2}, {**SMALL, "id": "/b", "instances": -1}]
    answer = await client.ask("PUT", "/v2/apps", wrong)
    assert (answer.status, answer.body["details"][0]["path"]) == (422, "(1)/instances")
    assert (await client.told("/a"))["instances"] == 1
    id_ = await client.made("PUT", "/v2/apps", [{"id": "/a", "instances": 2}, {**SMALL, "id": "/b", "instances": 2}])
    (deployment,) = await client.get("/v2/deployments")
    assert (deployment["id"], deployment["affectedApps"]) == (id_, ["/a", "/b"])
    await client.settled()
    assert len((await client.get("/v2/tasks"))["tasks"]) == 4


async def test_it_goes_back_to_an_earlier_version(client: Client) -> None:
    await client.running("/web", 1)
    await client.made("PATCH", "/v2/apps/web", {"instances": 2})
    newer, older = (await client.get("/v2/apps/web/versions"))["versions"]
    assert newer > older
    await client.settled()
    answer = await client.ask("PUT", "/v2/apps/web", {"version": older, "instances": 2})
    assert answer.body["details"][0]["path"] == "/version"
    assert (await client.ask("PUT", "/v2/apps/web", {"version": "2000-01-01T00:00:00.000Z"})).status == 404
    await client.made("PUT", "/v2/apps/web", {"version": older})
    assert (await client.told("/web"))["instances"] == 1


@pytest.mark.parametrize(
    ("query", "found"),
    [
        pytest.param("?id=A/w", ["/a/web"], id="part of the id"),
        pytest.param("?cmd=SLEEP&id=/b", ["/b"], id="part of the command"),
        pytest.param("?label=team", ["/a/web", "/b"], id="there"),
        pytest.param("?label=team==shop,size", ["/a/web"], id="both"),
        pytest.param("?label=team!=shop", ["/b"], id="not equal"),
        pytest.param("?label=team in (shop, x)", ["/a/web"], id="in"),
        pytest.param("?label=team notin (shop,x)", ["/b"], id="not in"),
        pytest.param("?label=odd==a%5C/b", ["/b"], id="escaped"),
    ],
)
async def test_apps_are_found(client: Client, query: str, found: list[str]) -> None:
    web, other = {"team": "shop", "size": "1"}, {"team": "lab", "odd": "a/b"}
    apps = [{"id": "/a/web", "labels": web}, {"id": "/b", "labels": other}]
    await client.made("PUT", "/v2/apps", [{**SMALL, "instances": 0, **app} for app in apps])
    assert [app["id"] for app in (await client.get(f"/v2/apps{query}"))["apps"]] == found


async def test_a_wrong_selector_is_refused(client: Client) -> None:
    assert (await client.ask("GET", "/v2/apps?label=team=shop")).status == 422


@pytest.mark.parametrize(
    ("query", "there", "missing"),
    [
        pytest.param("", {"tasksRunning", "deployments"}, {"tasks"}, id="nothing asked for"),
        pytest.param("?embed=apps.counts", {"tasksRunning"}, {"tasks", "deployments"}, id="counts"),
        pytest.param("?embed=apps.tasks", {"tasks", "deployments"}, {"tasksRunning"}, id="tasks"),
        pytest.param(
            "?embed=apps.lastTaskFailure&embed=apps.counts", {"tasksRunning"}, {"lastTaskFailure"}, id="no failure"
        ),
    ],
)
async def test_only_what_is_asked_for_is_embedded(
    client: Client, query: str, there: set[str], missing: set[str]
) -> None:
    await client.running("/web", 1)
    (app,) = (await client.get(f"/v2/apps{query}"))["apps"]
    assert there <= app.keys()
    assert missing.isdisjoint(app)


async def test_an_app_that_is_removed_is_told_of_no_more_and_locks_its_id(client: Client, memory: Memory) -> None:
    await client.running("/web", 2)
    await client.made("DELETE", "/v2/apps/web")
    assert (await client.ask("GET", "/v2/apps/web")).status == 404
    assert (await client.get("/v2/tasks"))["tasks"] == []
    assert len(memory.tasks("/web")) == 2
    assert (await client.ask("POST", "/v2/apps", {**SMALL, "id": "/web"})).status == 409
    await client.settled()
    assert memory.tasks() == []


async def test_groups_stay_when_their_apps_have_gone(client: Client) -> None:
    await client.running("/a/b/web", 1)
    assert (await client.ask("POST", "/v2/apps", {**SMALL, "id": "/a/b"})).status == 422
    await client.made("DELETE", "/v2/apps/a/b/web")
    await client.settled()
    assert (await client.get("/v2/groups/a"))["groups"][0]["id"] == "/a/b"
    await client.made("DELETE", "/v2/groups/a")
    assert (await client.ask("GET", "/v2/groups/a")).body == {"message": "Group '/a' does not exist"}
