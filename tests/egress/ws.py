"""Speaks WebSocket through the proxy: in a tunnel, or as a request that it forwards.

    ws.py HOST tunnel|clear
"""

import base64
import os
import socket
import ssl
import sys

host, way = sys.argv[1:]
stream = socket.create_connection(("127.0.0.1", 3128), timeout=30)
if way == "tunnel":
    stream.sendall(f"CONNECT {host}:443 HTTP/1.1\r\nHost: {host}:443\r\n\r\n".encode())
    head = b""
    while b"\r\n\r\n" not in head:
        head += stream.recv(1)
    assert b" 200 " in head, head
    context = ssl.create_default_context(cafile=os.environ["SSL_CERT_FILE"])
    stream = context.wrap_socket(stream, server_hostname=host)
    target = "/back/ws"
else:
    target = f"http://{host}/back/ws"
key = base64.b64encode(os.urandom(16)).decode()
stream.sendall(
    f"GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode()
)
head = b""
while b"\r\n\r\n" not in head:
    some = stream.recv(1)
    if not some:
        break
    head += some
if b" 101 " not in head.split(b"\r\n")[0]:
    sys.exit(print(head.decode(), stream.recv(4096).decode()))
mask = b"\1\2\3\4"
masked = bytes(b ^ mask[i % 4] for i, b in enumerate(b"hello"))
stream.sendall(bytes([0x81, 0x80 | 5]) + mask + masked)
frame = b""
while len(frame) < 7:
    frame += stream.recv(7 - len(frame))
print("echo:", frame[2:].decode())
