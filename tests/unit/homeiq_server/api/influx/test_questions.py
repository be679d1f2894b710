"""What clients ask before they write."""

import json
from pathlib import Path

import pytest

from tests.unit.homeiq_server.api.influx.influx_builders import Sender, text_of
from tests.unit.homeiq_server.server_builders import Json, options, serving


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_a_ping_is_answered_to_anybody(sender: Sender, method: str) -> None:
    answer = await sender.client.ask(method, f"{sender.client.api}/ping")
    assert answer.status == 204
    assert answer.headers["X-Influxdb-Version"] == "1.8.10"
    assert answer.headers["X-Influxdb-Build"] == "HomeIQ"


async def test_the_health_is_told_to_anybody(sender: Sender) -> None:
    answer = await sender.client.ask("GET", f"{sender.client.api}/health")
    assert (answer.status, answer.body["status"], answer.body["name"]) == (200, "pass", "influxdb")


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("statement", ["SHOW DATABASES", "show databases;", " SHOW  DATABASES "])
async def test_there_is_one_database_the_one_that_is_asked_for(sender: Sender, method: str, statement: str) -> None:
    for asked, name in ({}, "homeiq"), ({"db": "telegraf"}, "telegraf"):
        answer = await sender.ask(method, "/query", params={"q": statement, **asked})
        assert answer.status == 200
        [series] = answer.body["results"][0]["series"]
        assert series == {"name": "databases", "columns": ["name"], "values": [[name]]}


async def test_a_database_can_be_created_which_changes_nothing(sender: Sender) -> None:
    """As Telegraf does it, with a form."""
    answer = await sender.ask("POST", "/query", data={"q": 'CREATE DATABASE "telegraf"'})
    assert (answer.status, answer.body) == (200, {"results": [{"statement_id": 0}]})


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM cpu",
        "DROP DATABASE x",
        "SHOW DATABASES; DROP DATABASE x",
        "CREATE DATABASE a; DROP DATABASE b",
        "",
    ],
)
async def test_other_queries_are_refused_with_the_place_to_ask(sender: Sender, statement: str) -> None:
    answer = await sender.ask("GET", "/query", params={"q": statement})
    assert answer.status == 400
    assert "ask the database itself" in text_of(answer)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (json.dumps({"query": "buckets()", "type": "flux", "dialect": {}}), "application/json"),
        ('buckets() |> rename(columns: {name: "n"}) |> limit(n: 1)', "application/vnd.flux"),
    ],
)
async def test_there_is_one_bucket(sender: Sender, body: str, kind: str) -> None:
    answer = await sender.ask("POST", "/api/v2/query", data=body, headers={"Content-Type": kind})
    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("text/csv")
    rows = [line.split(",") for line in answer.body.splitlines() if line]
    assert len({len(row) for row in rows}) == 1
    assert rows[-1][rows[-2].index("name")] == "homeiq"


@pytest.mark.parametrize("asked", [{}, {"name": "my bucket", "org": "x"}])
async def test_the_bucket_that_is_asked_for_is_listed(sender: Sender, asked: dict[str, str]) -> None:
    answer = await sender.ask("GET", "/api/v2/buckets", params=asked)
    assert [bucket["name"] for bucket in answer.body["buckets"]] == [asked.get("name", "homeiq")]


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({"query": 'from(bucket: "x") |> range(start: -1h)'}, "application/json"),
        ({}, "application/json"),
        ([], "application/json"),
        ("drop", "application/vnd.flux"),
        ("x" * 100_000, "application/vnd.flux"),
    ],
)
async def test_other_flux_is_refused_in_the_form_of_version_2(sender: Sender, body: Json | str, kind: str) -> None:
    text = body if isinstance(body, str) else json.dumps(body)
    answer = await sender.ask("POST", "/api/v2/query", data=text, headers={"Content-Type": kind})
    assert answer.status in (400, 413)
    assert set(answer.body) == {"code", "message"}


async def test_a_query_is_sent_to_where_the_embedded_database_answers(tmp_path: Path) -> None:
    program = Path(__file__).parents[5] / ".tools/bin/victoria-metrics"
    if not program.exists():
        pytest.skip("there is no victoria-metrics here: scripts/setup brings it")
    async with serving(options(tmp_path, victoria_metrics=program)) as client:
        answer = await Sender(client).ask("GET", "/query", params={"q": "SELECT 1"})
        assert "/prometheus/api/v1/query" in text_of(answer)
