"""Reads events through the proxy, and says whether they came one by one.

    sse.py HOST
"""

import http.client
import sys
import time

host = sys.argv[1]
connection = http.client.HTTPConnection("127.0.0.1", 3128, timeout=30)
connection.request("GET", f"http://{host}/back/events", headers={"Host": host})
answer = connection.getresponse()
late = []
while line := answer.readline():
    if line.startswith(b"data: "):
        late.append(time.time() - float(line.split()[2]))
# The events are 0.3 s apart: whoever holds them back until the end is a second late with the first.
print("unbuffered" if len(late) == 5 and max(late) < 0.25 else f"late: {late}")
