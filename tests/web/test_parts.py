"""The small parts of pages, as templates use them."""

from django.template import Context, Template


def coded(text: str) -> str:
    return Template("{% load parts %}{{ text|coded }}").render(Context({"text": text}))


def test_commands_in_sentences_are_shown_as_code() -> None:
    assert coded("Run `systemctl restart docker` there.") == "Run <code>systemctl restart docker</code> there."


def test_an_expected_time_is_never_none() -> None:
    template = Template("{% load job_parts %}{{ seconds|about_digits }}")
    told = [template.render(Context({"seconds": seconds})) for seconds in (0.6, 41.9, 3_600.0)]
    assert told == ["~00:01", "~00:41", "~1:00:00"]


def test_what_engines_say_stays_text() -> None:
    assert coded("`<b>` & <i>") == "<code>&lt;b&gt;</code> &amp; &lt;i&gt;"
    assert coded("one ` alone") == "one ` alone"
