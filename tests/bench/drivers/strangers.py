"""`strangers.py IP PORT COUNT`: COUNT strangers who have no certificate call a daemon, all at once. Each sends the first
message of a handshake, for which the daemon calculates a key and signs, and then nothing more. Whoever is disconnected
calls again a second later, so that COUNT of them knock all the time. It runs until it is killed."""
import asyncio, contextlib, resource, ssl, sys

AGAIN = 1.0     # seconds between the end of a stranger's connection and its next call


def client_hello():
    """The first message of a handshake as our daemons begin it, with which every stranger begins."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    sent = ssl.MemoryBIO()
    handshake = context.wrap_bio(ssl.MemoryBIO(), sent, server_hostname="peer.tinytorrent.internal")
    try:
        handshake.do_handshake()
    except ssl.SSLWantReadError:
        return sent.read()
    raise AssertionError("a handshake needs an answer")


class Knocking:
    """What all strangers have seen together."""

    def __init__(self, count, again=AGAIN):
        self.count, self.again, self.calls, self.answered = count, again, 0, 0

    def called(self):
        self.calls += 1
        if self.calls == self.count:
            print("all were there", flush=True)

    async def stranger(self, ip, port, hello):
        while True:
            try:
                reader, writer = await asyncio.open_connection(ip, port)
            except OSError:
                await asyncio.sleep(self.again)
                continue
            self.called()
            with contextlib.suppress(OSError):
                async with contextlib.AsyncExitStack() as end:
                    end.push_async_callback(writer.wait_closed)
                    end.callback(writer.close)
                    writer.write(hello)
                    first = await reader.read(1)
                    self.answered += bool(first)
                    while await reader.read(4096):
                        pass
            await asyncio.sleep(self.again)


async def main(ip, port, count):
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    knocking, hello = Knocking(count), client_hello()
    strangers = [asyncio.create_task(knocking.stranger(ip, port, hello)) for _ in range(count)]
    while True:
        await asyncio.sleep(1)
        print(f"{knocking.calls} calls, {knocking.answered} of them answered", flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
