"""Snakemake, which looks every second how its jobs on a cluster are, not at intervals that grow by ten seconds."""

import asyncio

from snakemake.cli import main
from snakemake_interface_executor_plugins.executors.remote import RemoteExecutor


async def one_second(self):
    await asyncio.sleep(1)


RemoteExecutor.sleep = one_second
main()
