"""Postgres's TLS negotiation, terminated before a server: PORT SOCKET CERTIFICATE.

The embedded Postgres is built without TLS. Connections that do not ask for it pass as they are.
https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-SSL
"""

import asyncio
import ssl
import sys
from contextlib import suppress

SSL_REQUEST = 80_877_103


async def serve(port: int, socket_path: str, certificate: str) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)

    async def terminate(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            start = await reader.readexactly(8)
            if int.from_bytes(start[4:]) == SSL_REQUEST:
                writer.write(b"S")
                await writer.start_tls(context)
                start = b""
            from_server, to_server = await asyncio.open_unix_connection(socket_path)
        except (OSError, EOFError):
            writer.close()
            return
        to_server.write(start)
        await asyncio.gather(pump(reader, to_server), pump(from_server, writer))

    server = await asyncio.start_server(terminate, "localhost", port)
    await server.serve_forever()


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.close()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), sys.argv[2], sys.argv[3]))
