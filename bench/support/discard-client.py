"""
Downloads one address over N connections at once and throws the bytes away inside the kernel (recv with MSG_TRUNC, see
tcp(7)), so that the client costs next to nothing and what is measured is the server. Checks status and length.

    discard-client.py <host> <port> <path> <connections> [<Authorization>]

Prints as JSON the bytes that came, and the seconds and CPU seconds from the first connection to the last byte.
"""
import json
import resource
import socket
import sys
import threading
import time

ONCE = 8 * 1024 * 1024


def download(host, port, path, authorization, results, at):
    try:
        results[at] = fetch(host, port, path, authorization)
    except Exception as error:
        results[at] = error


def fetch(host, port, path, authorization):
    field = f"Authorization: {authorization}\r\n" if authorization else ""
    request = f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\n{field}Connection: close\r\n\r\n"
    with socket.create_connection((host, port)) as connection:
        connection.sendall(request.encode())
        head = b""
        # Byte by byte at the end of the header would be slow: look first, then take exactly so much.
        while b"\r\n\r\n" not in head:
            seen = connection.recv(65536, socket.MSG_PEEK)
            end = seen.find(b"\r\n\r\n")
            taken = connection.recv(end + 4 if end >= 0 else len(seen))
            if not taken:
                raise RuntimeError(f"the connection ended in the header: {head!r}")
            head += taken
        lines = head.decode("latin-1").split("\r\n")
        fields = dict(line.lower().split(": ", 1) for line in lines[1:] if ": " in line)
        if lines[0].split(" ")[1] != "200":
            raise RuntimeError(lines[0])
        expected = int(fields["content-length"])
        buffer = bytearray(ONCE)
        received = 0
        while received < expected:
            count = connection.recv_into(buffer, ONCE, socket.MSG_TRUNC)
            if count == 0:
                raise RuntimeError(f"ended after {received} of {expected} bytes")
            received += count
        return received


def main():
    host, port, path, connections = sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
    authorization = sys.argv[5] if len(sys.argv) > 5 else None
    results = [None] * connections
    threads = [
        threading.Thread(target=download, args=(host, port, path, authorization, results, at))
        for at in range(connections)
    ]
    begun = resource.getrusage(resource.RUSAGE_SELF)
    started = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.monotonic() - started
    failed = [result for result in results if isinstance(result, Exception)]
    if failed:
        sys.exit(f"failed: {failed}")
    used = resource.getrusage(resource.RUSAGE_SELF)
    cpu_seconds = used.ru_utime + used.ru_stime - begun.ru_utime - begun.ru_stime
    print(json.dumps({"bytes": sum(results), "seconds": seconds, "cpuSec": cpu_seconds}))


main()
