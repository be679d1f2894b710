"""A process whose devices send their first messages at once: ``url tenant`` and the ids, each once for each message.

It says ``ready``, waits for a line, and then says in JSON what became of them.
"""

import asyncio
import json
import sys
from collections import Counter

from homeiq_server.store.pool import Pool
from homeiq_server.store.provisioning import NewDevice, Provisioned, provision


async def _main(url: str, tenant_id: str, device_ids: list[str]) -> None:
    pool = await Pool.open(url)

    async def first_message(device_id: str) -> Provisioned:
        async with pool.tenant(tenant_id) as conn:
            return await provision(conn, tenant_id, [NewDevice(device_id=device_id, site_id="home")])

    try:
        async with pool.tenant(tenant_id):
            sys.stdout.write("ready\n")
            sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.readline)
        async with asyncio.TaskGroup() as tasks:
            sent = [tasks.create_task(first_message(device_id)) for device_id in device_ids]
    finally:
        await pool.close()
    done = [task.result() for task in sent]
    known = [device.status for each in done for device in each.devices.values()]
    refused = Counter(reason for each in done for reason in each.refused.values())
    sys.stdout.write(
        json.dumps({"new": sum(len(each.new) for each in done), "known": Counter(known), "refused": refused})
    )


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], sys.argv[2], sys.argv[3:]))
