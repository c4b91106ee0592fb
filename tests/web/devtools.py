"""A headless Chromium and a small client of its DevTools protocol: nothing but the standard library.

The browser is told to reach no other host than this machine's loopback, and every request, message
of the console and exception of a page is kept, so that a test can say that there was none.
"""

import base64
import json
import os
import shutil
import socket
import struct
import subprocess
import tempfile
import time
import urllib.request

PROGRAMS = ["chromium-headless-shell", "chromium"]
PATIENCE_S = 30


class Socket:
    """The client's side of a WebSocket: text frames only, which is all that DevTools speaks."""

    def __init__(self, url):
        host, path = url.removeprefix("ws://").split("/", 1)
        name, port = host.rsplit(":", 1)
        self.stream = socket.create_connection((name, int(port)), PATIENCE_S)
        key = base64.b64encode(os.urandom(16)).decode()
        self.stream.sendall(
            f"GET /{path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n"
            "Sec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        self.buffer = b""
        while b"\r\n\r\n" not in self.buffer:
            self.buffer += self.stream.recv(4096)
        head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        assert b" 101 " in head.split(b"\r\n")[0], head

    def send(self, text):
        data, mask = text.encode(), os.urandom(4)
        if len(data) < 126:
            size = struct.pack("!B", 0x80 | len(data))
        elif len(data) < 1 << 16:
            size = struct.pack("!BH", 0x80 | 126, len(data))
        else:
            size = struct.pack("!BQ", 0x80 | 127, len(data))
        masked = bytes(byte ^ mask[at % 4] for at, byte in enumerate(data))
        self.stream.sendall(b"\x81" + size + mask + masked)

    def take(self, count):
        while len(self.buffer) < count:
            more = self.stream.recv(1 << 16)
            if not more:
                raise ConnectionError("the browser hung up")
            self.buffer += more
        taken, self.buffer = self.buffer[:count], self.buffer[count:]
        return taken

    def receive(self, patience_s):
        """The next message; nothing if none comes in time."""
        self.stream.settimeout(max(patience_s, 0.001))
        text = b""
        while True:
            try:
                if not self.buffer:
                    self.buffer = self.take(1) + self.buffer
            except TimeoutError:
                return None
            self.stream.settimeout(PATIENCE_S)
            first, size = self.take(2)
            size &= 0x7F
            if size == 126:
                (size,) = struct.unpack("!H", self.take(2))
            elif size == 127:
                (size,) = struct.unpack("!Q", self.take(8))
            text += self.take(size)
            if first & 0x0F in (0x8, 0x9, 0xA):
                text = b""
            elif first & 0x80:
                return json.loads(text)


class Browser:
    """One headless browser, with a profile that is thrown away."""

    def __init__(self):
        program = next((found for found in map(shutil.which, PROGRAMS) if found), None)
        if program is None:
            raise SystemExit(f"none of {', '.join(PROGRAMS)} is installed: run tests/install")
        self.profile = tempfile.mkdtemp(prefix="toolgate-web-")
        self.process = subprocess.Popen(
            [program, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
             "--disable-background-networking", "--disable-component-update", "--no-first-run",
             "--disable-default-apps", "--disable-sync", "--disable-dev-shm-usage",
             "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
             f"--user-data-dir={self.profile}", "--remote-debugging-port=0", "about:blank"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        at, deadline = os.path.join(self.profile, "DevToolsActivePort"), time.time() + PATIENCE_S
        while not (os.path.exists(at) and open(at).read().count("\n") >= 1):
            if time.time() > deadline or self.process.poll() is not None:
                self.close()
                raise SystemExit("the browser does not start")
            time.sleep(0.05)
        self.port = int(open(at).read().split("\n")[0])

    def page(self):
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/json/new?about:blank", method="PUT"
        )
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
            return Page(json.load(answer)["webSocketDebuggerUrl"])

    def close(self):
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.profile, ignore_errors=True)


class Page:
    """One tab, and all that was said and asked for in it."""

    def __init__(self, url):
        self.socket, self.number = Socket(url), 0
        self.loader, self.loaded = None, False
        self.requests, self.messages, self.replaced = [], [], {}
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.ask(f"{domain}.enable")

    def ask(self, method, **parameters):
        self.number += 1
        number = self.number
        self.socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        deadline = time.time() + PATIENCE_S
        while time.time() < deadline:
            message = self.socket.receive(deadline - time.time())
            if message is None:
                break
            if message.get("id") == number:
                if "error" in message:
                    raise RuntimeError(f"{method}: {message['error']}")
                return message["result"]
            self.heard(message)
        raise TimeoutError(method)

    def heard(self, message):
        method, told = message.get("method"), message.get("params", {})
        if method == "Page.frameNavigated" and "parentId" not in told["frame"]:
            self.loader, self.loaded = told["frame"]["loaderId"], False
        elif method == "Page.loadEventFired":
            self.loaded = True
        elif method == "Network.requestWillBeSent":
            self.requests.append(told["request"]["url"])
        elif method == "Runtime.exceptionThrown":
            self.messages.append(("exception", json.dumps(told["exceptionDetails"])))
        elif method == "Runtime.consoleAPICalled":
            self.messages.append((told["type"], json.dumps(told["args"])))
        elif method == "Log.entryAdded":
            self.messages.append((told["entry"]["level"], told["entry"]["text"]))
        elif method == "Page.javascriptDialogOpening":
            self.messages.append(("dialog", told["message"]))
        elif method == "Fetch.requestPaused":
            self.replace(told)

    def replace(self, told):
        """For whoever mends the style: it comes from the source instead of the binary."""
        path = next((p for part, p in self.replaced.items() if part in told["request"]["url"]), None)
        self.number += 1
        if path is None:
            answer = ("Fetch.continueRequest", {})
        else:
            body = base64.b64encode(open(path, "rb").read()).decode()
            media = "text/css" if path.endswith("css") else "text/javascript"
            headers = [{"name": "content-type", "value": media}]
            answer = ("Fetch.fulfillRequest",
                      {"responseCode": 200, "body": body, "responseHeaders": headers})
        params = {"requestId": told["requestId"], **answer[1]}
        self.socket.send(json.dumps({"id": self.number, "method": answer[0], "params": params}))

    def listen(self, seconds):
        """Hears what happens in this time."""
        deadline = time.time() + seconds
        while (left := deadline - time.time()) > 0:
            message = self.socket.receive(left)
            if message:
                self.heard(message)

    def until(self, what, seconds=PATIENCE_S):
        """Waits for an expression of the page to be true."""
        deadline = time.time() + seconds
        while not self.value(what):
            assert time.time() < deadline, f"never true: {what}"
            self.listen(0.05)

    def goto(self, url):
        loader = self.ask("Page.navigate", url=url).get("loaderId", self.loader)
        deadline = time.time() + PATIENCE_S
        while not (self.loaded and self.loader == loader):
            assert time.time() < deadline, f"never loaded: {url}"
            self.listen(0.02)

    def value(self, expression):
        told = self.ask("Runtime.evaluate", expression=expression, returnByValue=True)
        if "exceptionDetails" in told:
            # A page that is being left has no answer.
            return None
        return told["result"].get("value")

    def key(self, key):
        code = {"Enter": 13, "Escape": 27}.get(key)
        text = "\r" if key == "Enter" else key if len(key) == 1 else ""
        event = {"key": key, "text": text, "unmodifiedText": text}
        if code:
            event["windowsVirtualKeyCode"] = code
        self.ask("Input.dispatchKeyEvent", type="keyDown" if text else "rawKeyDown", **event)
        self.ask("Input.dispatchKeyEvent", type="keyUp", key=key)

    def screen(self, width, height=900, scheme="light", media=""):
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=height,
                 deviceScaleFactor=1, mobile=width < 600)
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.ask("Emulation.setEmulatedMedia", media=media, features=features)

    def picture(self, path, whole=True):
        told = self.ask("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        with open(path, "wb") as out:
            out.write(base64.b64decode(told["data"]))
