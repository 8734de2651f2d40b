"""How people come into the demo: by the link that was printed for each."""

import re

from tests.browser.people import PASSWORD, Person
from tests.support.installations import Installation


def come_in(who: Person, demo: Installation, name: str) -> None:
    """As the person called ``name``: by the printed link, or with the password that was chosen on it before."""
    found = re.search(r"http\S+/setup/\S+", demo.wait_for(name))
    assert found
    who.page.goto(found.group())
    if who.page.get_by_label("Password again").count():
        who.page.get_by_label("Password", exact=True).fill(PASSWORD)
        who.page.get_by_label("Password again").fill(PASSWORD)
        who.page.get_by_role("button", name="come in").click()
    else:
        who.complaints.clear()  # a link that was used before is a 404
        who.page.goto(f"{demo.address}/sign-in")
        who.page.locator("#id_username").fill(f"demo-{name.split(maxsplit=1)[0].lower()}")
        who.page.locator("#id_password").fill(PASSWORD)
        who.page.get_by_role("button", name="Sign in").click()
    who.page.wait_for_url(re.compile(r"/clusters/demo/$"))
