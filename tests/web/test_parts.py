"""The small parts of pages, as templates use them."""

from django.template import Context, Template


def coded(text: str) -> str:
    return Template("{% load parts %}{{ text|coded }}").render(Context({"text": text}))


def test_commands_in_sentences_are_shown_as_code() -> None:
    assert coded("Run `systemctl restart docker` there.") == "Run <code>systemctl restart docker</code> there."


def test_what_engines_say_stays_text() -> None:
    assert coded("`<b>` & <i>") == "<code>&lt;b&gt;</code> &amp; &lt;i&gt;"
    assert coded("one ` alone") == "one ` alone"
