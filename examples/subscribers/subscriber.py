"""A team's own system, which hears what concerns the team. It needs aiokafka and nothing of Outrider."""

import asyncio
import json
import os
from pathlib import Path

from aiokafka import AIOKafkaConsumer


async def main(team: str, secret: dict[str, str]) -> None:
    consumer = AIOKafkaConsumer(
        f"outrider.team.{team}.events.v1",
        bootstrap_servers=secret["bootstrap_servers"], security_protocol=secret["security_protocol"],
        sasl_mechanism=secret["sasl_mechanism"], sasl_plain_username=secret["username"],
        sasl_plain_password=secret["password"], group_id=f"outrider.team.{team}.subscriber-python",
        enable_auto_commit=False, auto_offset_reset="earliest",
    )  # fmt: skip
    known: set[str] = set()  # in earnest kept with the work's result, in one transaction: it has to outlive a crash
    async with consumer:
        async for record in consumer:
            said = {name: value.decode() for name, value in record.headers if name.startswith("ce_")}
            if said and said["ce_id"] not in known:  # OpenLineage events lie here too; they have no ce_ headers
                print(said["ce_id"], said["ce_type"], record.value.decode(), sep="\t", flush=True)  # the work
                known.add(said["ce_id"])
            await consumer.commit()  # after the work: killed in between, the record comes again and is known by its id


asyncio.run(main(os.environ["TEAM"], json.loads(Path(os.environ["KAFKA_SECRET"]).read_text())))
