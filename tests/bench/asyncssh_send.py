"""Logs in to every device, sends one command to its command line and logs out, with asyncssh.

asyncssh_send.py DEVICES KNOWN_HOSTS CONCURRENCY: each line of DEVICES is address, port, user and key file, tabs between them.
Prints how many devices there were, and how many seconds it took.
"""

import asyncio
import re
import sys
import time

import asyncssh

PROMPT = re.compile(r"(?:^|\n)[a-z0-9][a-z0-9._-]*(?:> |\(config\)# )$")
COMMAND = "show transaction"


async def until_prompt(process):
    output = ""
    while not PROMPT.search(output):
        read = await process.stdout.read(65536)
        if not read:
            raise EOFError(output)
        output += read
    return output


async def send(places, keys, known_hosts, address, port, user, identity):
    async with places:
        connection = await asyncssh.connect(
            address, port=int(port), username=user, client_keys=[keys[identity]], known_hosts=known_hosts, config=None
        )
        async with connection:
            process = await connection.create_process(term_type="vt100", term_size=(511, 1000))
            await until_prompt(process)
            process.stdin.write(COMMAND + "\n")
            output = await until_prompt(process)
            if "confirmed" not in output:
                raise ValueError(output)


async def main():
    devices, known_hosts, concurrency = sys.argv[1:]
    with open(devices) as lines:
        devices = [line.rstrip("\n").split("\t") for line in lines]
    known_hosts = asyncssh.read_known_hosts(known_hosts)
    keys = {identity: asyncssh.read_private_key(identity) for *_, identity in devices}
    places = asyncio.Semaphore(int(concurrency))
    begun = time.monotonic()
    await asyncio.gather(*(send(places, keys, known_hosts, *device) for device in devices))
    print(len(devices), time.monotonic() - begun)


asyncio.run(main())
