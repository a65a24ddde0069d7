"""Serves the prepared pages in FOLDER as the result of a finished Bulk job, and writes its address to the file READY.

The bytes go from the file to the socket as they are: it takes hardly any CPU from whoever reads them.
"""

import json
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

folder, ready = Path(sys.argv[1]), Path(sys.argv[2])
rows = json.loads((folder / "rows.json").read_text("utf-8"))
names = sorted(rows)


class Pages(BaseHTTPRequestHandler):
    """The locator is the number of the page."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        asked = parse_qs(urlsplit(self.path).query)
        number = int(asked.get("locator", ["0"])[0])
        page = folder / f"{names[number]}.gz"
        self.send_response(200)
        self.send_header("Content-Type", "text/csv")
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(page.stat().st_size))
        self.send_header("Sforce-NumberOfRecords", str(rows[names[number]]))
        self.send_header("Sforce-Locator", str(number + 1) if number + 1 < len(names) else "null")
        self.end_headers()
        self.wfile.flush()
        with page.open("rb") as file:
            self.connection.sendfile(file)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


with HTTPServer(("127.0.0.1", 0), Pages) as server:
    half = ready.with_suffix(".half")
    half.write_text(f"http://127.0.0.1:{server.server_port}", "utf-8")
    half.rename(ready)
    server.serve_forever()
