"""Root of the error tree of itbpump.

Every error says what is wrong and, in `action`, what to do about it; branches carry the objects they speak of as attributes.

::

    ItbPumpError                      (here)
    ├── InputError (ValueError)       unreadable input; the command line ends with 2
    │   ├── QuantityError             quantity.py: a number, unit, duration or time of day
    │   ├── PrescriptionError         therapy: what cannot be a prescription at all; carries its problems
    │   ├── OverrideError             safety: a reason that cannot be given
    │   ├── FieldError, WeekError,    workflow: a form, the step editor, a file of settings
    │   │   SettingsError
    │   ├── ImportRefused,            registry: a table that cannot come in, with every problem; a grade that no scale has
    │   │   ObservationError
    │   └── AlertPolicyError,         alerts: a clinic's leads, how word is sent, an address, a calendar file
    │       ChannelSetupError, AddressError, CalendarError
    ├── DataError                     versioned data shipped with the product or added by a clinic
    │   ├── ProfileError              profiles: a pump profile is missing, damaged or not the pump's own
    │   └── LibraryError              drugs: a drug library is missing, damaged or out of order
    ├── ConfigurationError            configuration.py: a prescription cannot be made into what the pump takes
    ├── ForecastError, FleetError     forecast, fleet: what was handed in contradicts itself; two computations that disagree
    ├── RegistryError                 registry: cannot be opened, older, newer, damaged, locked, not written; beside it UnknownSubject,
    │                                 Contradiction, BackupError, SpoolError (its own tree in registry/errors.py)
    ├── AlertsError                   alerts: an alert that is not there or cannot sleep, a channel that fails (alerts/errors.py)
    ├── ReportError, FhirError        report: a visit that cannot be reported, a bundle that breaks its own rules
    ├── NotConsented, OtherPump,      workflow: what the review page lacks, another pump, a pairing that cannot be
    │   PairingError, NothingToRestore
    └── branches defined where they are raised: wire (framing, records, fields), link (sessions, transactions),
        transport (devices), hoststate, pump (outcomes), plan

Not here: findings of a safety review. A finding is data for a person to judge, not an exception.
"""

from __future__ import annotations

__all__ = [
    "ConfigurationError",
    "DataError",
    "InputError",
    "ItbPumpError",
    "LibraryError",
    "PrescriptionError",
    "ProfileError",
    "QuantityError",
]


class ItbPumpError(Exception):
    """Root of every error raised on purpose. `action` tells what to do; empty where the text says it all."""

    action: str = ""

    def __init__(self, *args: object, action: str = "") -> None:
        super().__init__(*args)
        if action:
            self.action = action


class InputError(ItbPumpError, ValueError):
    """What a person or a file gave cannot be read."""


class QuantityError(InputError):
    """A number, unit, duration or time of day is malformed; `text` is what was given."""

    def __init__(self, text: object, problem: str, action: str = "") -> None:
        super().__init__(f"{text!r}: {problem}" + (f"; {action}" if action else ""), action=action)
        self.text = text
        self.problem = problem


class PrescriptionError(InputError):
    """A file is not a prescription. `problems` are `itbpump.therapy.Problem` objects: file, line, key, text, nearest valid key."""

    def __init__(self, problems: tuple[object, ...]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


class DataError(ItbPumpError):
    """Versioned data (pump profile, drug library) cannot be used."""


class ProfileError(DataError):
    """A pump profile is unknown, damaged, or differs from what the pump reports."""


class LibraryError(DataError):
    """A drug library is unknown, damaged, or its limits are out of order."""


class ConfigurationError(ItbPumpError):
    """A prescription cannot be made into a pump configuration or bolus order; `rule` names the safety rule that says so first."""

    def __init__(self, message: str, action: str = "", rule: str = "") -> None:
        super().__init__(message + (f"; {action}" if action else ""), action=action)
        self.rule = rule
