"""Lines of line protocol, good and bad, as hypothesis makes them."""

from hypothesis import strategies as st

from homeiq_server.history.line_protocol import INFLUX

# Mostly the characters that the format is about, so that they meet.
NAMES = st.text(st.sampled_from('ab,= "\\#é') | st.characters(codec="utf-8"), min_size=1, max_size=6).filter(
    lambda text: not text.startswith(("\n", "\r", "\t", "\0", "#"))
)
NUMBERS = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.floats(-1e6, 1e6).map(lambda value: f"{value:.3f}"),
    st.integers(-(2**63), 2**63 - 1).map(lambda value: f"{value}i"),
    st.integers(0, 2**64 - 1).map(lambda value: f"{value}u"),
    st.sampled_from(["t", "T", "true", "True", "TRUE", "f", "F", "false", "False", "FALSE", "1.", ".5", "-.5", "1E9"]),
)
TEXTS = st.text(st.sampled_from('ab,= "\\') | st.characters(codec="utf-8"), max_size=8)
TIMES = st.integers(0, 10**12) | st.integers(-(10**12), 2**62)


@st.composite
def good_lines(draw: st.DrawFn, *, timed: bool | None = None) -> bytes:
    """Return a line that every database understands."""
    measurement, tags = draw(NAMES), draw(st.dictionaries(NAMES, NAMES, max_size=3))
    fields = draw(
        st.dictionaries(NAMES, NUMBERS | TEXTS.map(lambda text: INFLUX.fields({"k": text})[3:]), min_size=1, max_size=3)
    )
    spelt = ",".join(f"{INFLUX.field_key(key)}={value}" for key, value in fields.items())
    with_time = draw(st.booleans()) if timed is None else timed
    time = f" {draw(TIMES)}" if with_time else ""
    return f"{INFLUX.measurement(measurement)}{INFLUX.tags(tags)} {spelt}{time}".encode()


@st.composite
def broken_lines(draw: st.DrawFn) -> bytes:
    """Return a line in which something was changed, so that it may be none."""
    line = bytearray(draw(good_lines()))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(line)))
        line[at : at + draw(st.integers(0, 2))] = draw(
            st.sampled_from(b',= "\\\n\r\t#1i-.eu').map(lambda one: bytes([one]))
        )
    return bytes(line)
