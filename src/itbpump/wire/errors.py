"""What can be wrong with received bytes, or with a message that is to be sent.

    ItbPumpError
    └── WireError
        ├── FrameError              a frame cannot be built, or a single frame does not hold
        ├── RecordError
        │   ├── HeaderError         the clear header is malformed: too short, wrong version, type or length
        │   ├── CounterError        a record counter is used up; a new handshake is needed
        │   └── TagError            the authentication tag does not hold
        └── MessageError
            ├── UnknownMessage      no message has this id
            ├── LengthError         too short, too long, bytes left over, or a part beyond its bound
            ├── FieldRangeError     a number outside its range
            │   └── FieldEnumError  a number that is none of the values of an enum or bool
            ├── FieldTextError      text that is not UTF-8
            └── FieldTypeError      encoding only: a Python value of the wrong type

Decoders raise nothing else. The errors carry what they found, so that a pump can answer with a code and a field number.
"""

from __future__ import annotations

from itbpump.errors import ItbPumpError


class WireError(ItbPumpError):
    """Root of everything the wire layers raise."""


class FrameError(WireError):
    """A frame does not hold, or a body does not fit a frame."""


class RecordError(WireError):
    """A record cannot be built or opened."""


class HeaderError(RecordError):
    """The clear header contradicts itself or this version."""


class CounterError(RecordError):
    """The counter space of a session is used up, or the counter is outside it."""

    def __init__(self, counter: int, largest: int) -> None:
        self.counter = counter
        self.largest = largest
        super().__init__(f"record counter {counter} is not within 0 to {largest}: make a new handshake")


class TagError(RecordError):
    """The tag does not hold: noise, a wrong key or an attack. Drop the record silently and count it."""


class MessageError(WireError):
    """A message is malformed. `message` is the name of the message or structure."""

    def __init__(self, message: str, text: str) -> None:
        self.message = message
        super().__init__(text)


class UnknownMessage(MessageError):
    """No message of this direction has the id."""

    def __init__(self, id: int) -> None:
        self.id = id
        super().__init__("", f"no message of this direction has the id {id}: the two ends speak different minor versions")


class LengthError(MessageError):
    """Too few or too many bytes. `field` is empty when the message as a whole is meant; `field_number` is then 0."""

    def __init__(self, message: str, length: int, allowed: str, field: str = "", field_number: int = 0) -> None:
        self.length = length
        self.allowed = allowed
        self.field = field
        self.field_number = field_number
        where = f"{message}.{field}" if field else message
        super().__init__(message, f"{where}: {length} bytes or elements, {allowed} expected")


class FieldRangeError(MessageError):
    """A value outside min to max (both allowed). `field_number` counts from 1 within its message or structure."""

    def __init__(self, message: str, field: str, value: int, min: int, max: int, field_number: int = 0) -> None:
        self.field = field
        self.value = value
        self.min = min
        self.max = max
        self.field_number = field_number
        super().__init__(message, f"{message}.{field}: {value} is outside {min} to {max}; correct the value, it is never clamped")


class FieldEnumError(FieldRangeError):
    """A value that is none of the named ones; min and max are the smallest and largest of them."""


class FieldTextError(MessageError):
    """Text that is not strict UTF-8."""

    def __init__(self, message: str, field: str, field_number: int = 0) -> None:
        self.field = field
        self.field_number = field_number
        super().__init__(message, f"{message}.{field}: not valid UTF-8")


class FieldTypeError(MessageError):
    """A Python value of the wrong type was to be encoded; a defect of the caller."""

    def __init__(self, message: str, field: str, value: object) -> None:
        self.field = field
        self.value = value
        super().__init__(message, f"{message}.{field}: {value!r} has the wrong type")
