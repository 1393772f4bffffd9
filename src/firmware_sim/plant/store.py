"""The plant as plain data for a state file: exact integers, floats as hex text. Pure; writing the file is the device's work.

Not stored: history and tones. What is wrong with data that do not fit is said by key.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields

from firmware_sim.plant.errors import SnapshotError
from firmware_sim.plant.history import Epoch
from firmware_sim.plant.hydraulics import MOST_CREEP_NL_PER_DAY, MOST_SCALE_PPM, PPM, Hydraulics
from firmware_sim.plant.motor import Encoder
from firmware_sim.plant.oscillator import MOST_PPM, Rate
from firmware_sim.plant.path import Path
from firmware_sim.plant.reservoir import Contents
from firmware_sim.plant.truth import Ledger
from firmware_sim.profiles import PlantProfile

LAYOUT = 2
_LARGEST = (1 << 53) - 1
"""Of any integer: 285,000 years in ms, 10^16 nL; what is larger fits no record of the pump."""


@dataclass(frozen=True, slots=True)
class Saved:
    """What a plant needs to go on. `true_nL` is W(made), a check that profile and seed are those of the snapshot."""

    now_ms: int
    commanded: int
    made: int
    unasked: int
    stalled: bool
    encoder: Encoder
    rates: tuple[Rate, ...]
    true_nL: int
    battery_events_e12: int
    csf_half_life_s: int
    csf_fg: float
    epoch: Epoch


def pack(profile: PlantProfile, seed: int, saved: Saved) -> dict[str, object]:
    """JSON-able data."""
    epoch = saved.epoch
    return {
        "layout": LAYOUT,
        "profile": profile.name,
        "pulse_volume_nL": profile.pulse_volume_nL,
        "seed": seed,
        "now_ms": saved.now_ms,
        "motor": {
            "commanded": saved.commanded,
            "made": saved.made,
            "unasked": saved.unasked,
            "stalled": saved.stalled,
            "true_nL": saved.true_nL,
        },
        "encoder": asdict(saved.encoder),
        "clock": {"rates": [[rate.uptime_ms, rate.true_ms, rate.ppm] for rate in saved.rates]},
        "battery": {"events_e12": saved.battery_events_e12},
        "csf": {"half_life_s": saved.csf_half_life_s, "fg": saved.csf_fg.hex()},
        "reservoir": {
            "volume_nL": epoch.reservoir.volume_nL,
            "mass_fg": epoch.reservoir.mass_fg,
            "drug": epoch.reservoir.drug,
            "true_nL": epoch.true_nL,
        },
        "epoch": {"at_ms": epoch.at_ms, "residual_nL": epoch.residual_nL, "flow": asdict(epoch.flow)},
        "path": {
            "volume_nL": epoch.path.volume_nL,
            "tanks_fg": [tank.hex() for tank in epoch.path.tanks_fg],
            "delivered_nL": epoch.delivered_nL,
            "tip_fg": epoch.tip_fg.hex(),
        },
        "ledger": asdict(epoch.ledger),
    }


def unpack(profile: PlantProfile, data: Mapping[str, object]) -> tuple[int, Saved]:
    """Seed and state. Raises SnapshotError."""
    top = _Table("", data)
    top.expect("layout", LAYOUT)
    top.expect("profile", profile.name)
    top.expect("pulse_volume_nL", profile.pulse_volume_nL)
    motor, battery, csf = top.table("motor"), top.table("battery"), top.table("csf")
    seed, now_ms = top.integer("seed", None), top.integer("now_ms")
    commanded, unasked = motor.integer("commanded"), motor.integer("unasked")
    made = motor.integer("made", unasked, commanded + unasked)
    saved = Saved(
        now_ms=now_ms,
        commanded=commanded,
        made=made,
        unasked=unasked,
        stalled=motor.boolean("stalled"),
        encoder=_encoder(top.table("encoder"), made),
        rates=_rates(top.table("clock"), now_ms),
        true_nL=motor.integer("true_nL"),
        battery_events_e12=battery.integer("events_e12", None),
        csf_half_life_s=csf.integer("half_life_s", profile.csf_half_life_min_s, profile.csf_half_life_max_s),
        csf_fg=csf.hexadecimal("fg"),
        epoch=_epoch(profile, top, motor.integer("true_nL"), now_ms),
    )
    for table in (motor, battery, csf, top):
        table.finish()
    return seed, saved


def _encoder(table: _Table, made: int) -> Encoder:
    encoder = Encoder(table.integer("made", 0, made), table.integer("count"), table.integer("rate_ppm", 0, 2 * PPM))
    table.finish()
    return encoder


def _rates(table: _Table, now_ms: int) -> tuple[Rate, ...]:
    rates = tuple(Rate(*row) for row in table.rows("rates", 3))
    if not rates or any(rate.uptime_ms > now_ms or rate.uptime_ms < 0 or rate.true_ms < 0 or abs(rate.ppm) > MOST_PPM for rate in rates):
        raise SnapshotError("clock.rates", "are not the rates of a clock up to now")
    table.finish()
    return rates


def _flow(table: _Table) -> Hydraulics:
    flow = Hydraulics(
        table.integer("scale_ppm", 0, MOST_SCALE_PPM),
        table.integer("leak_ppm", 0, PPM),
        table.integer("creep_nL_per_day", 0, MOST_CREEP_NL_PER_DAY),
    )
    table.finish()
    return flow


def _epoch(profile: PlantProfile, top: _Table, true_nL: int, now_ms: int) -> Epoch:
    reservoir, path, ledger, base = top.table("reservoir"), top.table("path"), top.table("ledger"), top.table("epoch")
    epoch = Epoch(
        reservoir=Contents(reservoir.integer("volume_nL", 0, profile.capacity_nL), reservoir.integer("mass_fg"), reservoir.text("drug")),
        residual_nL=base.integer("residual_nL", 0, profile.capacity_nL),
        path=Path(path.integer("volume_nL", 1), path.hexadecimals("tanks_fg", profile.path_tanks)),
        true_nL=reservoir.integer("true_nL", 0, true_nL),
        delivered_nL=path.integer("delivered_nL"),
        tip_fg=path.hexadecimal("tip_fg"),
        ledger=Ledger(**{field.name: ledger.integer(field.name) for field in fields(Ledger)}),
        at_ms=base.integer("at_ms", 0, now_ms),
        flow=_flow(base.table("flow")),
    )
    for table in (reservoir, path, ledger, base):
        table.finish()
    known = epoch.ledger
    inside = epoch.reservoir.volume_nL + epoch.path.volume_nL + epoch.delivered_nL + known.aspirated_nL + known.lost_nL
    if known.filled_nL + known.initial_path_nL != inside:
        raise SnapshotError("ledger", "volumes do not balance")
    return epoch


class _Table:
    """Strict reading of one table; every key must be read."""

    def __init__(self, where: str, data: Mapping[str, object]) -> None:
        self._where = where
        self._data = data
        self._read: set[str] = set()

    def table(self, key: str) -> _Table:
        value = self._get(key)
        if not isinstance(value, dict):
            raise SnapshotError(self._path(key), "is not a table")
        return _Table(self._path(key), value)

    def expect(self, key: str, wanted: object) -> None:
        value = self._get(key)
        if type(value) is not type(wanted) or value != wanted:
            raise SnapshotError(self._path(key), f"is {value!r}, expected {wanted!r}")

    def integer(self, key: str, low: int | None = 0, high: int | None = _LARGEST) -> int:
        value = self._get(key)
        if type(value) is not int or (low is not None and value < low) or (high is not None and value > high):
            raise SnapshotError(self._path(key), f"is {value!r}, not an integer in its range")
        return value

    def boolean(self, key: str) -> bool:
        value = self._get(key)
        if not isinstance(value, bool):
            raise SnapshotError(self._path(key), f"is {value!r}, not true or false")
        return value

    def text(self, key: str) -> str:
        value = self._get(key)
        if not isinstance(value, str):
            raise SnapshotError(self._path(key), f"is {value!r}, not text")
        return value

    def hexadecimal(self, key: str) -> float:
        return self._float(key, self._get(key))

    def hexadecimals(self, key: str, count: int) -> tuple[float, ...]:
        values = self._get(key)
        if not isinstance(values, list) or len(values) != count:
            raise SnapshotError(self._path(key), f"is not a list of {count} numbers")
        return tuple(self._float(key, value) for value in values)

    def rows(self, key: str, width: int) -> list[list[int]]:
        value = self._get(key)
        if not isinstance(value, list) or not all(
            isinstance(row, list) and len(row) == width and all(type(entry) is int for entry in row) for row in value
        ):
            raise SnapshotError(self._path(key), f"is not a list of {width} whole numbers each")
        return value

    def finish(self) -> None:
        for key in sorted(self._data.keys() - self._read):
            raise SnapshotError(self._path(key), "unknown key")

    def _get(self, key: str) -> object:
        if key not in self._data:
            raise SnapshotError(self._path(key), "missing")
        self._read.add(key)
        return self._data[key]

    def _float(self, key: str, value: object) -> float:
        try:
            number = float.fromhex(value) if isinstance(value, str) else math.nan
        except (ValueError, OverflowError):
            number = math.nan
        if not (math.isfinite(number) and number >= 0):
            raise SnapshotError(self._path(key), f"is {value!r}, not a hexadecimal number of at least 0")
        return number

    def _path(self, key: str) -> str:
        return f"{self._where}.{key}".lstrip(".")
