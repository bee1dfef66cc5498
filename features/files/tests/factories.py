"""Files for tests: the smallest content of each format, and uploads of them."""

import io
import zipfile
from pathlib import Path
from typing import Any, Final

import httpx

from tests.fixtures.database import Connection, execute_unaudited

JsonObject = dict[str, Any]

FILES: Final = "/api/v1/files"
UPLOAD: Final = f"{FILES}/upload"
UPLOAD_MULTIPLE: Final = f"{FILES}/upload-multiple"

OLE: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504)
PNG: Final = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + bytes(17)
JPEG: Final = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00" + bytes(16)
PDF: Final = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\nendobj\n%%EOF\n"
SVG: Final = (
    b'<?xml version="1.0"?>\n<!-- c -->\n<svg xmlns="http://www.w3.org/2000/svg"><script>1</script></svg>'
)


def zipped(*names: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.writestr(name, "content")
    return content.getvalue()


def ole(stream: str) -> bytes:
    return OLE + stream.encode("utf-16-le") + bytes(100)


def office(folder: str) -> bytes:
    return zipped("[Content_Types].xml", f"{folder}/document.xml")


SAMPLES: Final[dict[str, bytes]] = {
    ".pdf": PDF,
    ".doc": ole("WordDocument"),
    ".docx": office("word"),
    ".xls": ole("Workbook"),
    ".xlsx": office("xl"),
    ".ppt": ole("PowerPoint Document"),
    ".pptx": office("ppt"),
    ".txt": "Olá, mundo\n".encode(),
    ".md": b"<p align='center'>\n# Title\n",
    ".markdown": b"# Title\n",
    ".jpg": JPEG,
    ".jpeg": JPEG,
    ".png": PNG,
    ".gif": b"GIF89a\x01\x00\x01\x00\x00;",
    ".svg": SVG,
    ".webp": b"RIFF\x24\x00\x00\x00WEBPVP8 " + bytes(20),
    ".json": b'\xef\xbb\xbf{"a": [1]}',
    ".xml": b'<?xml version="1.0" encoding="UTF-8"?><?xml-stylesheet href="a"?><a/>',
    ".csv": b"a;b\r\n1;2\r\n",
    ".yaml": b"---\na: 1\n",
    ".yml": b"# c\na: 1\n",
    ".zip": zipped("a.txt"),
    ".rar": b"Rar!\x1a\x07\x01\x00" + bytes(20),
}


async def upload(
    client: httpx.AsyncClient,
    name: str = "notes.txt",
    content: bytes = b"some notes\n",
    *,
    actor: str | None = None,
    **fields: str,
) -> JsonObject:
    """A stored file, as the answer shows it."""
    response = await send(client, name, content, actor=actor, **fields)
    assert response.status_code == 201, response.text
    data: JsonObject = response.json()["data"]
    return data


async def send(
    client: httpx.AsyncClient, name: str, content: bytes, *, actor: str | None = None, **fields: str
) -> httpx.Response:
    headers = {} if actor is None else {"x-user-id": actor}
    return await client.post(UPLOAD, files={"file": (name, content)}, data=fields, headers=headers)


def stored_objects(folder: Path) -> list[Path]:
    """Every file below the store, complete or not."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


async def add_idea(connection: Connection, idea_id: str) -> str:
    """Behind the app's back."""
    await connection.execute(
        "INSERT INTO ideas (id, title, description, category, priority) VALUES ($1, $1, 'x', 'docs', 'low')",
        idea_id,
    )
    return idea_id


async def add_system(connection: Connection, system_id: str) -> str:
    await connection.execute(
        "INSERT INTO systems (id, name, description, status) VALUES ($1, $1, 'x', 'online')", system_id
    )
    return system_id


async def listed(client: httpx.AsyncClient, **query: Any) -> JsonObject:
    response = await client.get(FILES, params=query)
    assert response.status_code == 200, response.text
    body: JsonObject = response.json()
    return body


async def seed(connection: Connection, count: int) -> None:
    """Rows without objects, behind the app's back. Neighbours share a millisecond and a size; one in fifty is
    a PDF, one is ada's, one is public.
    """
    await execute_unaudited(
        connection,
        """
        INSERT INTO files (id, filename, original_name, mime_type, size_bytes, checksum, object_key,
            description, uploaded_by, is_public, created_at)
        SELECT 'file-' || lpad(n::text, 7, '0'), 'report-' || n || '.txt', 'report-' || n || '.txt',
            CASE WHEN n % 50 = 7 THEN 'application/pdf'
                ELSE (ARRAY['text/plain', 'image/png', 'text/csv'])[1 + n % 3] END,
            n / 2, repeat('0', 64), 'seed/' || n, 'About word' || n % 1000,
            CASE WHEN n % 50 = 3 THEN 'ada' ELSE 'user' || n % 7 END, n % 50 = 11,
            timestamptz '2025-01-01 00:00:00Z' + (n / 2) * interval '1 second'
        FROM generate_series(1, $1::int) AS n
        """,
        count,
    )
    await connection.execute("ANALYZE files")


def form(*parts: tuple[str, str | None, bytes], boundary: str = "----b") -> bytes:
    """A multipart body, whatever the names; a part without a file name is a field."""
    body = b""
    for name, filename, content in parts:
        disposition = f'form-data; name="{name}"'
        if filename is not None:
            disposition += f'; filename="{filename}"'
        body += f"--{boundary}\r\nContent-Disposition: {disposition}\r\n\r\n".encode() + content + b"\r\n"
    return body + f"--{boundary}--\r\n".encode()


FORM: Final = {"content-type": "multipart/form-data; boundary=----b"}
