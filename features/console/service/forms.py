"""Forms with a file, passed on as they stream in."""

from collections.abc import AsyncIterable, AsyncIterator, Mapping
from secrets import token_hex


def passed_on(
    fields: Mapping[str, str], name: str, filename: str, content: AsyncIterable[bytes]
) -> tuple[str, AsyncIterator[bytes]]:
    """Content type and bytes of a form (RFC 7578) with these fields, those without a text aside, and one
    file.
    """
    boundary = token_hex(16)

    async def body() -> AsyncIterator[bytes]:
        for field, text in fields.items():
            if text:
                yield _head(boundary, field) + b"\r\n" + text.encode() + b"\r\n"
        yield _head(boundary, name, filename) + b"Content-Type: application/octet-stream\r\n\r\n"
        async for block in content:
            yield block
        yield f"\r\n--{boundary}--\r\n".encode()

    return f"multipart/form-data; boundary={boundary}", body()


def _head(boundary: str, name: str, filename: str | None = None) -> bytes:
    file = "" if filename is None else f'; filename="{_quoted(filename)}"'
    return f'--{boundary}\r\nContent-Disposition: form-data; name="{_quoted(name)}"{file}\r\n'.encode()


def _quoted(text: str) -> str:
    """The escapes of browsers (HTML, multipart form data)."""
    return text.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
