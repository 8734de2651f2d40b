"""Reserved ranges as CSV: what is written is read back, and a file with errors changes nothing and names them all."""

from hypothesis import given, settings
from hypothesis import strategies as st

from overlayweb.domain import range_files, subnets
from overlayweb.domain.range_files import Changed, FiledRange
from tests.domain.examples import EXAMPLES

words = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zs", "Zl", "Zp"]), min_size=1, max_size=20)
rows = st.lists(
    st.builds(
        lambda address, length, name, reason, owner: FiledRange(
            cidr=str(subnets.enclosing(address=address, prefix_length=length)), name=name, reason=reason, owner=owner
        ),
        st.integers(0, 2**32 - 1),
        st.integers(8, 32),
        words,
        st.just("") | words,
        st.just("") | words,
    ),
    min_size=1,
    max_size=8,
    unique_by=lambda row: row.cidr,
)


@given(ranges=rows)
@settings(max_examples=EXAMPLES, deadline=None)
def test_what_is_written_is_read_back(ranges: list[FiledRange]) -> None:
    text = range_files.write(ranges)
    assert range_files.read(text=text, existing=[]).added == tuple(ranges)
    assert range_files.read(text=text, existing=ranges).same == tuple(ranges)


def test_says_what_is_new_what_changes_and_what_stays() -> None:
    office, vpn = FiledRange(cidr="10.20.0.0/16", name="office"), FiledRange(cidr="10.30.0.0/16", name="vpn")
    text = "\ufeffName,CIDR,Owner\noffice,10.20.0.0/16,Ana\n\nvpn,10.30.0.0/16,\nvpc,10.40.0.0/16,Rui\n"
    found = range_files.read(text=text, existing=[office, vpn])
    assert found.errors == ()
    assert found.added == (FiledRange(cidr="10.40.0.0/16", name="vpc", owner="Rui"),)
    assert found.changed == (Changed(before=office, after=FiledRange(cidr="10.20.0.0/16", name="office", owner="Ana")),)
    assert found.same == (vpn,)
    assert found.seal != range_files.read(text=text, existing=[office]).seal


def test_every_error_is_named_at_its_line() -> None:
    text = 'cidr,name\n10.20.0.1/16,a\n10.30.0.0/16,"two\nlines"\n10.30.0.0/16,\nfd00::/64,b,more\n'
    found = range_files.read(text=text, existing=[])
    assert (found.added, found.changed, found.same) == ((), (), ())
    assert [(error.line, error.message) for error in found.errors] == [
        (2, "10.20.0.1/16 has host bits set. 10.20.0.0/16 is meant?"),
        (5, "The name is empty."),
        (5, "10.30.0.0/16 is on line 3 already."),
        (6, "fd00::/64 is IPv6."),
        (6, "More fields than columns. Put a text with a comma in quotes."),
    ]


def test_refuses_a_file_that_is_something_else() -> None:
    for text, line, said in (
        ("", 1, "Missing: cidr, name"),
        ("cidr,name,colour\n", 1, "Unknown column: colour"),
        ("cidr,name,name\n", 1, "named twice"),
        ("cidr,name\n", 0, "no range"),
        ('cidr,name\n10.0.0.0/8,"open', 2, "Not CSV"),
        ("cidr,name\n" + "10.0.0.0/8,x\n" * 5001, 0, "5,000 at most"),
    ):
        errors = range_files.read(text=text, existing=[]).errors
        assert (errors[0].line, said in errors[0].message) == (line, True), (text[:30], errors[0])
