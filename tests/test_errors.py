"""What is said to people stays one line of signs that can be seen."""

from hypothesis import given
from hypothesis import strategies as st

from twophase.errors import UserError, printable


@given(st.text(st.characters()))
def test_a_message_is_printable_and_tells_its_parts_apart(text):
    said = str(UserError(f"{text}: mend it"))
    assert said.isprintable()
    assert said.endswith(": mend it")
    said.encode()


def test_what_can_be_seen_stays():
    assert printable("é → τ = 5 °, C:\\x") == "é → τ = 5 °, C:\\x"
    assert printable("a\nb\x1b[2J\udcff") == "a\\nb\\x1b[2J\\udcff"
