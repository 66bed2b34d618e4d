"""A proxy as installations put before several API processes: each connection goes to the next.

    python proxy.py PORT REPLICA_PORT…

It passes bytes on. A replica that refuses, or hangs up before it answered, is left out for that
connection, as proxies do.
"""

import asyncio
import itertools
import sys
from contextlib import suppress

CHUNK = 64 * 1024


async def serve(port: int, replicas: list[int]) -> None:
    turn = itertools.count()

    async def connected(client: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        request = bytearray()
        with suppress(ConnectionError):
            first = next(turn) % len(replicas)
            for replica in replicas[first:] + replicas[:first]:
                if await pass_on(replica, request, client, back):
                    break
        back.close()

    server = await asyncio.start_server(connected, "127.0.0.1", port)
    await server.serve_forever()


async def pass_on(
    port: int, request: bytearray, client: asyncio.StreamReader, back: asyncio.StreamWriter
) -> bool:
    """Whether the replica answered; what it was told is kept for the next one."""
    try:
        answer, forth = await asyncio.open_connection("127.0.0.1", port)
    except ConnectionError:  # refused; or reset: it stopped listening before it accepted
        return False
    forth.write(request)
    sending = asyncio.create_task(send(request, client, forth))
    answered = False
    try:
        while chunk := await answer.read(CHUNK):
            answered = True
            back.write(chunk)
            await back.drain()
    except ConnectionError:
        if answered:
            raise
    finally:
        sending.cancel()
        forth.close()
    return answered or client.at_eof()


async def send(
    request: bytearray, client: asyncio.StreamReader, forth: asyncio.StreamWriter
) -> None:
    with suppress(ConnectionError):
        while chunk := await client.read(CHUNK):
            if len(request) < CHUNK:
                request += chunk
            forth.write(chunk)
            await forth.drain()
        forth.close()


if __name__ == "__main__":
    ports = [int(port) for port in sys.argv[1:]]
    asyncio.run(serve(ports[0], ports[1:]))
