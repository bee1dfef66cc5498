"""A bucket in a thread: as much of S3 as the store uses, and as strict about the size of parts."""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final
from urllib.parse import parse_qs, unquote, urlsplit
from uuid import uuid4

SMALLEST_PART: Final = 5 * 1024 * 1024
_MOMENT: Final = "2001-01-01T00:00:00.000Z"


@dataclass
class Bucket:
    """`objects` and unfinished `uploads` by key; all objects are said to be from 2001."""

    url: str = ""
    objects: dict[str, bytes] = field(default_factory=dict)
    uploads: dict[str, dict[int, bytes]] = field(default_factory=dict)
    broken: bool = False


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    bucket: Bucket

    def do_PUT(self) -> None:
        content = self._content()
        if "uploadId" in self._query:
            upload = self.bucket.uploads.get(self._query["uploadId"])
            if upload is None:
                self._answer(404, b"<Error><Code>NoSuchUpload</Code></Error>")
                return
            upload[int(self._query["partNumber"])] = content
        else:
            self.bucket.objects[self._key] = content
        self._answer(200)

    def do_POST(self) -> None:
        content = self._content()
        if "delete" in self._query:
            keys = re.findall(r"<Key>([^<]+)</Key>", content.decode())
            for key in keys:
                self.bucket.objects.pop(key, None)
            deleted = "".join(f"<Deleted><Key>{key}</Key></Deleted>" for key in keys)
            self._answer(200, f"<DeleteResult>{deleted}</DeleteResult>".encode())
            return
        if "uploadId" not in self._query:
            upload = uuid4().hex
            self.bucket.uploads[upload] = {}
            self._answer(200, f"<Upload><UploadId>{upload}</UploadId></Upload>".encode())
            return
        parts = self.bucket.uploads.pop(self._query["uploadId"])
        *rest, _ = [parts[number] for number in sorted(parts)]
        if any(len(part) < SMALLEST_PART for part in rest):
            self._answer(400, b"<Error><Code>EntityTooSmall</Code></Error>")
            return
        self.bucket.objects[self._key] = b"".join(parts[number] for number in sorted(parts))
        self._answer(200, b'<Done><ETag>"tag"</ETag></Done>')

    def do_DELETE(self) -> None:
        self.bucket.uploads.pop(self._query["uploadId"])
        self._answer(204)

    def do_GET(self) -> None:
        if "list-type" in self._query:
            self._list()
            return
        content = self.bucket.objects.get(self._key)
        if content is None:
            self._answer(404, b"<Error><Code>NoSuchKey</Code></Error>")
            return
        wanted = self.headers.get("range")
        if wanted is None:
            self._answer(200, content)
            return
        first, last = wanted.removeprefix("bytes=").split("-")
        end = min(int(last) + 1, len(content))
        self._answer(
            206, content[int(first) : end], {"Content-Range": f"bytes {first}-{end - 1}/{len(content)}"}
        )

    def do_HEAD(self) -> None:
        self.do_GET()

    def _list(self) -> None:
        found = "".join(
            f"<Contents><Key>{key}</Key><Size>{len(content)}</Size><LastModified>{_MOMENT}</LastModified>"
            '<ETag>"tag"</ETag></Contents>'
            for key, content in self.bucket.objects.items()
            if key.startswith(self._query.get("prefix", ""))
        )
        self._answer(200, f"<ListBucketResult>{found}</ListBucketResult>".encode())

    @property
    def _key(self) -> str:
        return unquote(urlsplit(self.path).path).split("/", 2)[2]

    @property
    def _query(self) -> dict[str, str]:
        query = parse_qs(urlsplit(self.path).query, keep_blank_values=True)
        return {name: values[0] for name, values in query.items()}

    def _content(self) -> bytes:
        return self.rfile.read(int(self.headers.get("content-length") or 0))

    def _answer(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        if self.bucket.broken:
            status, body = 403, b"<Error><Code>AccessDenied</Code></Error>"
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("ETag", '"tag"')
        self.send_header("Last-Modified", formatdate(978307200, usegmt=True))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
        """Nothing to stderr."""


@contextmanager
def serving_bucket() -> Iterator[Bucket]:
    bucket = Bucket()
    handler = type("Handler", (_Handler,), {"bucket": bucket})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        bucket.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield bucket
        finally:
            server.shutdown()
            thread.join()
