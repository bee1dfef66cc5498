"""The forms of a page, read as a browser reads them."""

from html.parser import HTMLParser


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[tuple[str, dict[str, str]]] = []
        self._area: str | None = None
        self._select: str | None = None
        self._sends = False

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attributes}
        name = given.get("name", "")
        if tag == "form":
            self._sends = given.get("method") == "post"
            if self._sends:
                self.forms.append((given.get("action", ""), {}))
        elif not self._sends:
            return
        elif tag == "textarea":
            self._area = name
            self.forms[-1][1][name] = ""
        elif tag == "select":
            self._select = name
        elif tag == "option" and self._select is not None:
            if "selected" in given or self._select not in self.forms[-1][1]:
                self.forms[-1][1][self._select] = given.get("value", "")
        elif tag == "input" and (given.get("type", "") not in ("file", "checkbox") or "checked" in given):
            self.forms[-1][1][name] = given.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea" and self._area is not None:
            fields = self.forms[-1][1]
            # The first end of line belongs to the markup; lines of a form that is sent end with CR LF.
            fields[self._area] = fields[self._area].removeprefix("\n").replace("\n", "\r\n")
            self._area = None
        elif tag == "select":
            self._select = None
        elif tag == "form":
            self._sends = False

    def handle_data(self, data: str) -> None:
        if self._area is not None:
            self.forms[-1][1][self._area] += data.replace("\r\n", "\n").replace("\r", "\n")


def forms_of(html: str) -> list[tuple[str, dict[str, str]]]:
    """Where each form that changes something goes, and its fields as they are sent untouched."""
    parser = _Forms()
    parser.feed(html)
    return parser.forms


def form_of(html: str, action: str) -> tuple[str, dict[str, str]]:
    """The form whose path begins so."""
    forms = forms_of(html)
    for place, fields in forms:
        if place.startswith(action):
            return place, fields
    raise AssertionError(f"no form {action} among {[place for place, _ in forms]}")
