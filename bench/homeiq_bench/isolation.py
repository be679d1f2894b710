"""One tenant floods at 50 times its limit: what that does to another tenant's messages, in pairs of quiet and flood.

A message's time is from its sending to the node's acknowledgement over HTTP, which comes after the commit.
"""

import asyncio
import statistics
import time
from collections.abc import Sequence

import aiohttp
import psutil

from homeiq_bench.fleet import Fleet, connected, running
from homeiq_bench.report import Figure, arguments, finish, say
from homeiq_bench.server import Server
from homeiq_server import VERSION
from homeiq_server.buckets import Buckets
from tests import postgres

_STRANGERS = 100_000
_ROUNDS = 5
_LIMIT = 20
_TIMES = 50
_CALM_RATE = 40
_PAIRS, _QUICK_PAIRS = 7, 2
_SECONDS, _QUICK_SECONDS = 15, 5
_TIMEOUT = aiohttp.ClientTimeout(total=30)


def main() -> None:
    """Measure and print."""
    asked = arguments(__doc__ or "")
    pairs, seconds = (_QUICK_PAIRS, _QUICK_SECONDS) if asked.quick else (_PAIRS, _SECONDS)
    figures = _limiter(500_000 if asked.quick else 5_000_000)
    with postgres.cluster(durable=True) as cluster:
        figures |= asyncio.run(_measure(cluster, pairs, seconds))
    finish("isolation", figures, {"homeiq": VERSION}, check=asked.check)


def _limiter(calls: int) -> dict[str, Figure]:
    """Return what the rate limiter costs, with 100,000 ids that nobody knows among those that are."""
    buckets = Buckets()
    strangers = [("flooder", f"unknown-{number}") for number in range(_STRANGERS)]
    still = Buckets(clock=lambda: 0.0)
    process = psutil.Process()
    for key in strangers[: _STRANGERS // 2]:
        buckets.take(key, 1_000, 20)
    half_mb = process.memory_info().rss / 1e6
    for key in strangers[_STRANGERS // 2 :]:
        buckets.take(key, 1_000, 20)
    whole_mb = process.memory_info().rss / 1e6
    rounds_s = [_round_s(buckets, strangers, calls // _ROUNDS) for _ in range(_ROUNDS)]
    return {
        "limiter_us_per_call": round(1e6 * statistics.median(rounds_s) / (calls // _ROUNDS), 2),
        "limiter_buckets_of_100000_ids": len(buckets),
        "limiter_mb_of_the_second_50000_ids": round(whole_mb - half_mb, 1),
        "limiter_let_pass_of_burst_3": sum(still.take("one", 1, 3) == 0.0 for _ in range(10)),
    }


def _round_s(buckets: Buckets, keys: Sequence[tuple[str, str]], calls: int) -> float:
    began = time.perf_counter()
    for number in range(calls):
        buckets.take(keys[number % len(keys)], 1_000, 20)
    return time.perf_counter() - began


async def _measure(cluster: postgres.Cluster, pairs: int, seconds: float) -> dict[str, Figure]:
    async with running(cluster, ingest_tenant_rate=str(_LIMIT), ingest_tenant_burst=str(2 * _CALM_RATE)) as fleet:
        node = fleet.add_node(ingest_tenant_rate="1000")
        await connected(node)
        calm, flooder = await fleet.open_tenant("calm"), await fleet.open_tenant("flooder")
        await _limit(node, "flooder", _LIMIT)
        quiet_ms, flooded_ms, refused = [], [], 0
        for pair in range(pairs):
            quiet_ms.append(await _p99_ms(node, calm, seconds))
            stop = asyncio.Event()
            flooding = asyncio.create_task(_flood(fleet, flooder, stop), name="flood")
            await asyncio.sleep(1)
            flooded_ms.append(await _p99_ms(node, calm, seconds))
            stop.set()
            refused += await flooding
            say(f"pair {pair + 1}: p99 {quiet_ms[-1]:.1f} ms quiet, {flooded_ms[-1]:.1f} ms flooded")
        ratios = [flooded / quiet for quiet, flooded in zip(quiet_ms, flooded_ms, strict=True)]
        status = await asyncio.to_thread(node.status)
        return {
            "flood_messages_per_s": _LIMIT * _TIMES,
            "flood_sent": refused,
            "flood_refused": status["ingest"]["refused"].get("RATE_LIMITED_TENANT", 0),
            "p99_quiet_ms": round(statistics.median(quiet_ms), 1),
            "p99_flooded_ms": round(statistics.median(flooded_ms), 1),
            "p99_ratio_median": round(statistics.median(ratios), 2),
            "p99_ratio_lowest": round(min(ratios), 2),
            "p99_ratio_highest": round(max(ratios), 2),
        }


async def _limit(node: Server, tenant_id: str, rate: int) -> None:
    headers = {"Authorization": f"Bearer {node.token}"}
    body = {"messages_per_second": rate, "messages_burst": 2 * rate}
    url = f"http://127.0.0.1:{node.port}/operator/v1/tenants/{tenant_id}"
    async with aiohttp.ClientSession(timeout=_TIMEOUT) as http, http.patch(url, json=body, headers=headers) as answer:
        answer.raise_for_status()


async def _p99_ms(node: Server, key: str, seconds: float) -> float:
    """Return the 99th percentile of what the calm tenant's messages take."""
    took_ms: list[float] = []
    url = f"http://127.0.0.1:{node.port}/ingest/v1/tenant/calm/device/d{{}}/telemetry"

    async def send(http: aiohttp.ClientSession, number: int) -> None:
        began = time.perf_counter()
        body = {"metrics": {"n": number}}
        async with http.post(url.format(number % 20), json=body, headers={"X-Provision-Token": key}) as answer:
            if not answer.ok:
                raise RuntimeError(await answer.text())
        took_ms.append(1e3 * (time.perf_counter() - began))

    async with aiohttp.ClientSession(timeout=_TIMEOUT) as http, asyncio.TaskGroup() as tasks:
        for number in range(round(_CALM_RATE * seconds)):
            tasks.create_task(send(http, number), name="message")
            await asyncio.sleep(1 / _CALM_RATE)
    return statistics.quantiles(took_ms, n=100)[98]


async def _flood(fleet: Fleet, key: str, stop: asyncio.Event) -> int:
    """Publish at so many times the limit until told to stop; return how many were sent."""
    publisher = await fleet.publisher("flooder", window=5_000)
    began, sent = time.monotonic(), 0
    async with asyncio.TaskGroup() as tasks:
        while not stop.is_set():
            while sent < _LIMIT * _TIMES * (time.monotonic() - began):
                payload = b'{"metrics":{"n":%d}}' % sent
                topic = f"tenant/flooder/device/d{sent % 20}/telemetry"
                tasks.create_task(publisher.publish(topic, payload, token=key), name="flood message")
                sent += 1
            await asyncio.sleep(0.01)
    await publisher.close()
    return sent


if __name__ == "__main__":
    main()
