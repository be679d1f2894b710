"""The files of the page and the list of what is served."""

import re
from importlib.resources import files

from homeiq_server.api import page

_IMPORT = re.compile(r'(?:from|import) "\./([^"]+)"')


def _names() -> set[str]:
    return {path.name for path in (files("homeiq_server") / "web").iterdir()}


def test_every_file_of_the_page_is_served_and_nothing_else() -> None:
    assert {path.removeprefix("/") or "index.html" for path in page.PATHS} == _names()


def test_every_module_that_another_one_imports_is_there() -> None:
    web = files("homeiq_server") / "web"
    wanted = {
        name for script in _names() if script.endswith(".js") for name in _IMPORT.findall((web / script).read_text())
    }
    assert wanted <= _names()


def test_no_address_of_the_page_is_absolute_because_ingress_puts_it_anywhere() -> None:
    web = files("homeiq_server") / "web"
    absolute = re.compile(r"""(?:src|href)="/|(?:fetch|ask|tell)\([`"']/""")
    assert [name for name in _names() if absolute.search((web / name).read_text())] == []
