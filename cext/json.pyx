"""The vectors in a large JSON body, taken out without the GIL.

A JSON library makes a Python object of every number, under the GIL: a body of 16 MiB then stops
all other threads for a quarter of a second. Here the value of one key is found in the outermost
object, and its numbers are written as float32; the rest of the body is left to the library.
"""

from libc.math cimport isinf
from libc.stdint cimport uint64_t
from libc.stdlib cimport strtod

cpdef enum Outcome:
    """What is at the key."""
    NUMBERS    # at the key is an array, and it was written
    STRING     # at the key is a string without escapes
    OTHER      # the key is missing, or its value is something else
    NO_JSON    # a byte fits no JSON object
    NO_NUMBER  # an item of the array is no number
    NOT_FINITE # a number is larger than a double
    WRONG_DIM  # a row has not `dim` numbers
    TOO_MANY   # more rows than there is room for

cdef enum:
    EXACT = 22  # powers of ten that a double holds exactly

cdef double[EXACT + 1] POWERS
cdef size_t power
POWERS[0] = 1
for power in range(1, EXACT + 1):
    POWERS[power] = POWERS[power - 1] * 10

cdef struct Text:
    const unsigned char *at
    const unsigned char *end  # where a zero byte is


cdef struct Place:
    size_t row, column  # of the array: rows done, or where it is wrong; numbers in the row


def take(bytes body, bytes key, float[:, ::1] out, bint rows):
    """Write the numbers at a key of the outermost object into out.

    rows  there is an array of rows, not one row

    returns  (outcome, first byte of the value, one past its last, row, column): with NUMBERS the
             rows written; row and column are where it went wrong
    """
    cdef Text text = Text(<const unsigned char *>body, <const unsigned char *>body + len(body))
    cdef const unsigned char *begin = text.at
    cdef const unsigned char *first = begin
    cdef const unsigned char *name = <const unsigned char *>key
    cdef size_t length = len(key), most = out.shape[0], dim = out.shape[1]
    cdef float *to = &out[0, 0] if most and dim else NULL
    cdef Place place = Place(0, 0)
    cdef Outcome outcome
    if to == NULL:
        raise ValueError(f"no room for numbers: out is {most} x {dim}")
    with nogil:
        outcome = find(&text, name, length)
        if outcome == OTHER and text.at < text.end:
            first = text.at
            if text.at[0] == b"[":
                outcome = take_rows(&text, to, most, dim, rows, &place)
            elif text.at[0] == b'"':
                outcome = STRING if skip_string(&text, True) else OTHER
    return outcome, first - begin, text.at - begin, place.row, place.column


cdef Outcome find(Text *text, const unsigned char *key, size_t length) noexcept nogil:
    """Go to the value of a key; OTHER there, and at the end when there is no such key."""
    cdef const unsigned char *name
    if not skip(text, b"{"):
        return NO_JSON
    while True:
        skip_space(text)
        name = text.at + 1
        if not skip_string(text, False):
            break
        if <size_t>(text.at - 1 - name) == length and same(name, key, length):
            return OTHER if skip(text, b":") and skip_space(text) else NO_JSON
        if not skip(text, b":") or not skip_value(text):
            return NO_JSON
        if not skip(text, b","):
            break
    if not skip(text, b"}") or skip_space(text):
        return NO_JSON
    return OTHER


cdef Outcome take_rows(
    Text *text, float *to, size_t most, size_t dim, bint rows, Place *place
) noexcept nogil:
    """Write an array of rows, or one row."""
    cdef Outcome outcome
    if not rows:
        outcome = take_row(text, to, dim, place)
        place.row = 1 if outcome == NUMBERS else 0
        return outcome
    skip(text, b"[")
    while True:
        skip_space(text)
        if text.at[0] != b"[":
            return NO_NUMBER
        if place.row == most:
            return TOO_MANY
        outcome = take_row(text, to + place.row * dim, dim, place)
        if outcome != NUMBERS:
            return outcome
        place.row += 1
        if not skip(text, b","):
            return NUMBERS if skip(text, b"]") else NO_JSON


cdef Outcome take_row(Text *text, float *to, size_t dim, Place *place) noexcept nogil:
    """Write one row; a wrong number of them is counted to its end."""
    cdef double value
    place.column = 0
    skip(text, b"[")
    while True:
        skip_space(text)
        if not take_number(text, &value):
            return NO_NUMBER
        if isinf(value):
            return NOT_FINITE
        if place.column < dim:
            to[place.column] = <float>value
        place.column += 1
        if skip(text, b","):
            continue
        if not skip(text, b"]"):
            return NO_JSON
        return NUMBERS if place.column == dim else WRONG_DIM


cdef bint take_number(Text *text, double *value) noexcept nogil:
    """Read a number of JSON's grammar, rounded as any JSON library does; say whether it is one."""
    cdef const unsigned char *start = text.at
    cdef uint64_t digits = 0
    cdef int scale = 0, written = 0
    cdef bint minus = text.at[0] == b"-", less
    cdef const unsigned char *first
    if minus:
        text.at += 1
    first = text.at
    while is_digit(text.at[0]):
        add_digit(text.at[0], &digits)
        text.at += 1
    if text.at == first or (first[0] == b"0" and text.at > first + 1):
        return False
    if text.at[0] == b".":
        text.at += 1
        first = text.at
        while is_digit(text.at[0]):
            add_digit(text.at[0], &digits)
            scale = max(scale - 1, -100_000)
            text.at += 1
        if text.at == first:
            return False
    if text.at[0] == b"e" or text.at[0] == b"E":
        text.at += 1
        less = text.at[0] == b"-"
        if less or text.at[0] == b"+":
            text.at += 1
        first = text.at
        while is_digit(text.at[0]):
            written = min(10 * written + (text.at[0] - c'0'), 100_000)
            text.at += 1
        if text.at == first:
            return False
        scale += -written if less else written
    if digits <= (<uint64_t>1 << 53) and -EXACT <= scale <= EXACT:
        value[0] = digits / POWERS[-scale] if scale < 0 else digits * POWERS[scale]
        if minus:
            value[0] = -value[0]
    else:
        value[0] = strtod(<const char *>start, NULL)
    return True


cdef inline void add_digit(unsigned char digit, uint64_t *digits) noexcept nogil:
    """Take a digit in; beyond 2^58 no more, for then it is not the digits that are used."""
    if digits[0] < <uint64_t>1 << 58:
        digits[0] = 10 * digits[0] + (digit - c'0')


cdef inline bint is_digit(unsigned char byte) noexcept nogil:
    return b"0" <= byte <= b"9"


cdef inline bint skip_space(Text *text) noexcept nogil:
    """Go past white space; say whether there is more text."""
    while (
        text.at[0] == b" " or text.at[0] == b"\n" or text.at[0] == b"\r" or text.at[0] == b"\t"
    ):
        text.at += 1
    return text.at < text.end


cdef inline bint skip(Text *text, unsigned char byte) noexcept nogil:
    """Go past white space and one byte; say whether it was there."""
    skip_space(text)
    if text.at == text.end or text.at[0] != byte:
        return False
    text.at += 1
    return True


cdef bint skip_string(Text *text, bint plain) noexcept nogil:
    """Go past a string; say whether there was one, without escapes where it must be plain."""
    if text.at == text.end or text.at[0] != b'"':
        return False
    text.at += 1
    while text.at < text.end and text.at[0] != b'"':
        if text.at[0] == b"\\":
            if plain:
                return False
            text.at += 1
        text.at += 1
    if text.at >= text.end:
        text.at = text.end
        return False
    text.at += 1
    return True


cdef bint skip_value(Text *text) noexcept nogil:
    """Go past a value, whatever is in it: another reads it. Say whether it ends."""
    cdef size_t depth = 0
    skip_space(text)
    while text.at < text.end:
        if text.at[0] == b'"':
            if not skip_string(text, False):
                return False
            continue
        if text.at[0] == b"[" or text.at[0] == b"{":
            depth += 1
        elif depth == 0 and (text.at[0] == b"," or text.at[0] == b"}"):
            return True
        elif text.at[0] == b"]" or text.at[0] == b"}":
            if depth == 0:
                return False
            depth -= 1
        text.at += 1
    return False


cdef inline bint same(const unsigned char *a, const unsigned char *b, size_t n) noexcept nogil:
    cdef size_t i
    for i in range(n):
        if a[i] != b[i]:
            return False
    return True
