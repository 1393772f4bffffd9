"""Whether a bundle is what this export may write: code lists, invariants, references, persons. Own code, without the extra `fhir`.

fhir.resources looks at structure alone: it takes `status: "banana"`, the UCUM code `bananas`, and a dosage with neither dose nor rate.
Each rule below is registered under its name, FHIR's own where it is an invariant of FHIR; a test breaks every one. Stricter than FHIR on
purpose: only the elements that this export writes, only codes that are verified, no narrative, no free notes, no resource of a person.
Whatever JSON it is given, it answers with problems and raises nothing. Pure. Not modelled: invariants of elements never written,
terminology servers, profiles.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cached_property
from typing import Any

from itbpump.report.fhir.codes import UCUM, codes, rules, units
from itbpump.report.fhir.model import OPAQUE_ID, R5, RELEASES, FhirError, Json, Problem
from itbpump.report.fhir.parts import NOT_OPAQUE

__all__ = ["RULES", "check"]

PERSONS = frozenset({"Patient", "Practitioner"})
_INDEX = re.compile(r"\[\d+\]")
_ID = re.compile(r"[A-Za-z0-9.-]{1,64}")
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:Z|[+-][0-9]{2}:[0-9]{2})")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u202a-\u202e\u2066-\u2069]")
_TIMES = frozenset({"timestamp", "recorded", "authoredOn", "start", "end"})


@dataclass(frozen=True)
class Checked:
    """A bundle under check, in the release it claims to be."""

    bundle: Mapping[str, Any]
    release: str

    @cached_property
    def nodes(self) -> tuple[tuple[str, str, Any], ...]:
        """Path, key and value of every part, the bundle itself first."""
        return tuple(_walk("", "", self.bundle))

    @cached_property
    def objects(self) -> tuple[tuple[str, str, Json], ...]:
        """The nodes that are objects."""
        return tuple((path, key, node) for path, key, node in self.nodes if isinstance(node, dict))

    @cached_property
    def entries(self) -> tuple[tuple[str, Json], ...]:
        """Path and content of every entry that is an object."""
        found = self.bundle.get("entry")
        entries = enumerate(found) if isinstance(found, list) else ()
        return tuple((f"entry[{place}]", entry) for place, entry in entries if isinstance(entry, dict))

    @cached_property
    def resources(self) -> tuple[tuple[str, str, Json], ...]:
        """Path, type and content of every resource."""
        found = [(f"{path}.resource", entry.get("resource")) for path, entry in self.entries]
        return tuple((path, str(resource.get("resourceType")), resource) for path, resource in found if isinstance(resource, dict))

    def of(self, kind: str) -> Iterator[tuple[str, Json]]:
        """The resources of one type."""
        return ((path, resource) for path, name, resource in self.resources if name == kind)


def _walk(path: str, key: str, value: Any) -> Iterator[tuple[str, str, Any]]:
    yield path, key, value
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _walk(f"{path}.{name}" if path else str(name), str(name), item)
    elif isinstance(value, list):
        for place, item in enumerate(value):
            yield from _walk(f"{path}[{place}]", key, item)


def _text(value: object) -> str:
    """Text as it is, and nothing for what should have been text: the rule that wanted it then says so."""
    return value if isinstance(value, str) else ""


def _object(value: object) -> Json:
    return value if isinstance(value, dict) else {}


def _listed(value: object) -> list[Json]:
    return [_object(item) for item in value] if isinstance(value, list) else []


_AMOUNTS = frozenset({"dose", "numerator", "denominator"})


def _is_quantity(key: str, node: Json) -> bool:
    return key.endswith("Quantity") or key in _AMOUNTS or (node.get("system") == UCUM and key != "coding")


_Found = Iterator[tuple[str, str]]
RULES: dict[str, Callable[[Checked], _Found]] = {}


def _rule(name: str) -> Callable[[Callable[[Checked], _Found]], Callable[[Checked], _Found]]:
    def register(look: Callable[[Checked], _Found]) -> Callable[[Checked], _Found]:
        if name in RULES:
            raise ValueError(f"two rules are named {name!r}")
        RULES[name] = look
        return look

    return register


def check(bundle: Mapping[str, Any], release: str = R5) -> tuple[Problem, ...]:
    """All that is wrong with a bundle, in the order of the rules; empty for a good one. FhirError for a release that is not known.

    A bundle read from a file must keep its decimals exact (`itbpump.report.fhir.read`): a float is a problem.
    """
    if release not in RELEASES:
        raise FhirError(f"no FHIR release {release!r}", action=f"use one of {', '.join(RELEASES)}")
    checked = Checked(bundle, release)
    return tuple(Problem(path or "bundle", name, text) for name, look in RULES.items() for path, text in look(checked))


# ------------------------------------------------------------------------------------------------ the bundle
@_rule("bundle")
def _bundle(checked: Checked) -> _Found:
    """It is a collection with a time and entries, and nothing else is in it (bdl-1 to bdl-4: search, request, response have no place)."""
    bundle = checked.bundle
    if bundle.get("resourceType") != "Bundle" or bundle.get("type") != "collection":
        yield "", "this is no Bundle of the type collection"
    if "timestamp" not in bundle or not checked.entries:
        yield "", "it has no timestamp or no entries"
    for name in bundle.keys() - {"resourceType", "id", "meta", "identifier", "type", "timestamp", "entry"}:
        yield str(name), "this element has no place in a collection"
    for path, entry in checked.entries:
        if entry.keys() != {"fullUrl", "resource"}:
            yield path, "an entry holds fullUrl and resource, nothing else"


@_rule("bdl-7")
def _unique(checked: Checked) -> _Found:
    """Every entry has a fullUrl of its own, which is its id."""
    seen: set[str] = set()
    for path, entry in checked.entries:
        url, resource = _text(entry.get("fullUrl")), entry.get("resource")
        if url in seen:
            yield path, f"{url} stands twice"
        seen.add(url)
        if not isinstance(resource, dict) or url != f"urn:uuid:{resource.get('id')}":
            yield path, "fullUrl is not urn:uuid: and the resource's id"


@_rule("elements")
def _elements(checked: Checked) -> _Found:
    """A resource that this export knows, with the elements it writes, the required ones among them."""
    table = rules(checked.release)
    for path, kind, resource in checked.resources:
        if kind not in table or kind == "codes":
            yield path, f"{kind} is no resource of this export"
            continue
        for name in resource.keys() - {"resourceType", "id", "meta", *table[kind]["elements"]}:
            yield f"{path}.{name}", f"not an element that {kind} has here"
        for name in table[kind]["required"]:
            if name not in resource:
                yield path, f"{kind} lacks {name}"


@_rule("ele-1")
def _nothing_empty(checked: Checked) -> _Found:
    """No element is empty or null."""
    for path, _, value in checked.nodes:
        if value is None or (isinstance(value, (str, list, dict)) and not value):
            yield path, "an element is left out, never empty"


# ------------------------------------------------------------------------------------------------ codes
@_rule("code")
def _codes(checked: Checked) -> _Found:
    """Status and other fixed lists."""
    lists: Mapping[str, list[str]] = rules(checked.release)["codes"]
    for path, kind, resource in checked.resources:
        for inner, _, value in _walk(kind, kind, resource):
            allowed = lists.get(_INDEX.sub("", inner))
            if allowed is not None and not isinstance(value, list) and _text(value) not in allowed:
                yield f"{path}{inner.removeprefix(kind)}", f"{value!r} is none of {', '.join(allowed)}"


@_rule("coding")
def _codings(checked: Checked) -> _Found:
    """Codes of the table that are verified, with their own words; UCUM for units."""
    known = {(row.system, row.code): row.display for row in codes().values() if row.coded}
    known |= {(UCUM, unit.ucum): unit.unit for unit in units().values()}
    for path, key, node in checked.objects:
        if key in {"coding", "tag"}:
            pair = (_text(node.get("system")), _text(node.get("code")))
            if pair not in known:
                yield path, f"the code {node.get('code')!r} of {node.get('system')!r} is not in the table of verified codes"
            elif node.get("display") != known[pair]:
                yield path, f"{pair[1]!r} is {known[pair]!r}, not {node.get('display')!r}"
        elif "coding" in node and "text" not in node:
            yield path, "a concept always has words"


@_rule("ucum")
def _units(checked: Checked) -> _Found:
    """A quantity has value, unit, system and code, and the unit that people read belongs to the code (qty-3, SR-17)."""
    known = {unit.ucum: unit.unit for unit in units().values()}
    for path, key, node in checked.objects:
        if not _is_quantity(key, node):
            continue
        if node.keys() != {"value", "unit", "system", "code"} or node["system"] != UCUM:
            yield path, "a quantity has value, unit, the UCUM system and code"
        elif _text(node["code"]) not in known:
            yield path, f"{node['code']!r} is no UCUM code of this export"
        elif node["unit"] != known[node["code"]]:
            yield path, f"the unit of {node['code']!r} is written {known[node['code']]!r}, not {node['unit']!r}"


@_rule("number")
def _numbers(checked: Checked) -> _Found:
    """Exact and not negative."""
    for path, _, value in checked.nodes:
        if isinstance(value, float):
            yield path, "a binary float is not exact; read the file with itbpump.report.fhir.read"
        elif isinstance(value, (int, Decimal)) and not isinstance(value, bool) and not (Decimal(value).is_finite() and value >= 0):
            yield path, f"{value} is no amount"
    for path, key, node in checked.objects:
        if "value" in node and _is_quantity(key, node):
            if not isinstance(node["value"], (int, Decimal)) or isinstance(node["value"], bool):
                yield f"{path}.value", "the value of a quantity is a number"
            elif key == "denominator" and node["value"] == 0:
                yield f"{path}.value", "nothing is given per 0 days"


# ------------------------------------------------------------------------------------------------ invariants of FHIR
@_rule("mad-1")
def _dose_or_rate(checked: Checked) -> _Found:
    """MedicationAdministration.dosage has a dose or a rate."""
    for path, resource in checked.of("MedicationAdministration"):
        dosage = resource.get("dosage")
        if isinstance(dosage, dict) and not dosage.keys() & {"dose", "rateRatio", "rateQuantity"}:
            yield f"{path}.dosage", "it has neither dose nor rate"


@_rule("dosage")
def _dosages(checked: Checked) -> _Found:
    """A dosage that is ordered tells in words and, unless the patient asks for it, by one dose or one rate."""
    for path, resource in checked.of("MedicationRequest"):
        for place, item in enumerate(_listed(resource.get("dosageInstruction"))):
            amounts = _listed(item.get("doseAndRate"))
            if "text" not in item or not (amounts or item.get("asNeeded") or item.get("asNeededBoolean")):
                yield f"{path}.dosageInstruction[{place}]", "it lacks words, or both dose and rate"
            if any(len(amount.keys() & {"doseQuantity", "rateRatio"}) != 1 for amount in amounts):
                yield f"{path}.dosageInstruction[{place}]", "each amount is one dose or one rate"


@_rule("choice")
def _choices(checked: Checked) -> _Found:
    """Exactly one of an element that comes in several types: a value or why there is none (obs-6), one time of a delivery."""
    pairs = {
        "Observation": (("valueQuantity", "dataAbsentReason"),),
        "MedicationAdministration": (("occurenceDateTime", "occurencePeriod", "effectiveDateTime", "effectivePeriod"),),
    }
    for kind, groups in pairs.items():
        for path, resource in checked.of(kind):
            for group in groups:
                if len(resource.keys() & set(group)) != 1:
                    yield path, f"it has exactly one of {', '.join(group)}"


@_rule("rat-1")
def _ratios(checked: Checked) -> _Found:
    """A ratio has both sides."""
    for path, key, node in checked.objects:
        if key == "rateRatio" and node.keys() != {"numerator", "denominator"}:
            yield path, "a ratio has a numerator and a denominator"


@_rule("tim-1")
def _timings(checked: Checked) -> _Found:
    """A duration has its unit, and a time of day its form."""
    for path, key, node in checked.objects:
        if key == "repeat":
            if ("duration" in node) != ("durationUnit" in node):
                yield path, "a duration and its unit go together"
            times = node.get("timeOfDay")
            for time in times if isinstance(times, list) else ():
                if re.fullmatch(r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:00", str(time)) is None:
                    yield path, f"{time!r} is no time of day"


@_rule("per-1")
def _periods(checked: Checked) -> _Found:
    """A period does not end before it begins."""
    for path, _, node in checked.objects:
        start, end = _moment(node.get("start")), _moment(node.get("end"))
        if start is not None and end is not None and start > end:
            yield path, "the end is before the start"


@_rule("time")
def _times(checked: Checked) -> _Found:
    """Every time is a real one, to the second, with its offset."""
    for path, key, value in checked.nodes:
        if (key in _TIMES or key.endswith("DateTime") or key == "date") and isinstance(value, str) and _moment(value) is None:
            yield path, f"{value!r} is no time with an offset"


def _moment(value: object) -> datetime | None:
    if not isinstance(value, str) or _TIME.fullmatch(value) is None:
        return None
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        return None


@_rule("tsk-1")
def _restrictions(checked: Checked) -> _Found:
    """R5 keeps Task.restriction for tasks that fulfil another request; the date stands in requestedPeriod, with its end."""
    name = "requestedPeriod" if checked.release == R5 else "restriction"
    for path, resource in checked.of("Task"):
        if checked.release == R5 and "restriction" in resource:
            yield path, "a restriction belongs to a task that fulfils a request"
        period = _object(resource.get(name))
        period = _object(period.get("period")) if name == "restriction" else period
        if "end" not in period:
            yield path, "a refill task says by when"


# ------------------------------------------------------------------------------------------------ references and persons
@_rule("reference")
def _references(checked: Checked) -> _Found:
    """A reference leads to a resource of this bundle, or names a person or record by an identifier (ref-2)."""
    urls = {_text(entry.get("fullUrl")) for _, entry in checked.entries}
    for path, _, node in checked.objects:
        target = node.get("reference")
        if isinstance(target, str) and target not in urls:
            yield path, f"{target!r} is not in the bundle"
        if _text(node.get("type")) in PERSONS and not node.keys() & {"reference", "identifier", "display"}:
            yield path, "a reference has a target, an identifier or words"


@_rule("identifier")
def _identifiers(checked: Checked) -> _Found:
    """An identifier has its system and value; ids have FHIR's form."""
    for path, key, node in checked.objects:
        if key == "identifier" and not (isinstance(node.get("value"), str) and str(node.get("system")).startswith("urn:itbpump:")):
            yield path, "an identifier has a value and a system of this project"
    for path, key, value in checked.nodes:
        if key == "id" and (not isinstance(value, str) or _ID.fullmatch(value) is None):
            yield path, f"{value!r} is no FHIR id"


@_rule("person")
def _persons(checked: Checked) -> _Found:
    """People are opaque ids: no name, no resource of a person, no words beside the reference."""
    for path, key, node in checked.objects:
        if key in {"name", "telecom", "address", "contact", "birthDate"}:
            yield path, "nothing personal is written"
        if _text(node.get("resourceType")) in PERSONS:
            yield path, "a person is referred to, never described"
        if _text(node.get("type")) in PERSONS:
            value = _text(_object(node.get("identifier")).get("value"))
            if "identifier" in node and OPAQUE_ID.fullmatch(value) is None:
                yield path, "this id is not opaque"
            if "display" in node and (node["display"] != NOT_OPAQUE or node["type"] == "Patient"):
                yield path, "words beside a person could be a name"


@_rule("narrative")
def _narratives(checked: Checked) -> _Found:
    """No narrative, no notes, nothing contained: they hold what nobody checks."""
    for path, _, node in checked.objects:
        for name in sorted(node.keys() & {"div", "note", "contained", "extension", "modifierExtension"}):
            yield path, f"{name} has no place in this export"


@_rule("text")
def _texts(checked: Checked) -> _Found:
    """No control signs, no marks of direction."""
    for path, _, value in checked.nodes:
        if isinstance(value, str) and _CONTROL.search(value):
            yield path, "it holds signs that cannot be seen"
