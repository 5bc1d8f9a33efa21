"""Logs in to every device, sends one command to its command line and logs out, with scrapli on its asyncssh transport.

scrapli_send.py DEVICES KNOWN_HOSTS CONCURRENCY: each line of DEVICES is address, port, user and key file, tabs between them.
Prints how many devices there were, and how many seconds it took.
"""

import asyncio
import sys
import time

from scrapli.driver import AsyncGenericDriver

PROMPT = r"^[a-z0-9][a-z0-9._-]*(?:> |\(config\)# )$"
COMMAND = "show transaction"


async def send(places, address, port, user, identity):
    async with places:
        driver = AsyncGenericDriver(
            host=address,
            port=int(port),
            auth_username=user,
            auth_private_key=identity,
            # It looks for host keys by address alone, and all these devices have one address.
            auth_strict_key=False,
            transport="asyncssh",
            comms_prompt_pattern=PROMPT,
        )
        async with driver:
            response = await driver.send_command(COMMAND)
            if "confirmed" not in response.result:
                raise ValueError(response.result)


async def main():
    devices, _known_hosts, concurrency = sys.argv[1:]
    with open(devices) as lines:
        devices = [line.rstrip("\n").split("\t") for line in lines]
    places = asyncio.Semaphore(int(concurrency))
    begun = time.monotonic()
    await asyncio.gather(*(send(places, *device) for device in devices))
    print(len(devices), time.monotonic() - begun)


asyncio.run(main())
