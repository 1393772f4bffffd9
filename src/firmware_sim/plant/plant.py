"""One simulated pump in one patient: what is physically true. Implements `firmware_sim.port.Hardware`.

Between two hand-made events the state is a closed form of the pulses made, so driving a train over years costs what driving it over a
second costs, and results do not depend on how a drive is cut into calls. Times are pump uptime in ms. The CSF is an observer.
Faults of the mechanics are set from outside (`flow`, `stalled`, `set_encoder_rate`, `set_residual`, `lose`, `turn_by_hand`) and hold until
they are set again. Not modelled: what the submodules exclude; a flat battery stopping the pump (the device acts on it).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Literal

from firmware_sim.plant import store
from firmware_sim.plant.battery import Battery
from firmware_sim.plant.csf import Csf
from firmware_sim.plant.errors import HistoryGoneError, PlantError, SnapshotError
from firmware_sim.plant.history import Epoch, History, Stretch
from firmware_sim.plant.hydraulics import Hydraulics
from firmware_sim.plant.motor import Encoder, Motor
from firmware_sim.plant.oscillator import Oscillator
from firmware_sim.plant.path import empty_path
from firmware_sim.plant.reservoir import FG_PER_NG, Contents, Withdrawal
from firmware_sim.plant.truth import Ledger, TruePulse, Truth
from firmware_sim.port import PulseTrain
from firmware_sim.profiles import PlantProfile

TONES = ("two-tone", "single-tone")
_TONES_KEPT = 64


class Plant:
    """A pump of `profile`; `seed` makes it this one pump. A new one has an empty reservoir and a path full of drug-free fluid.

    `path_volume_nL` is the true path, which what is programmed may miss; the profile's typical one by default.
    """

    def __init__(self, profile: PlantProfile, seed: int, *, path_volume_nL: int | None = None, csf_half_life_s: int | None = None) -> None:
        path_nL = profile.path_default_nL if path_volume_nL is None else path_volume_nL
        half_life_s = profile.csf_half_life_s if csf_half_life_s is None else csf_half_life_s
        if not profile.csf_half_life_min_s <= half_life_s <= profile.csf_half_life_max_s:
            low, high = profile.csf_half_life_min_s, profile.csf_half_life_max_s
            raise PlantError(f"a CSF half-life of {half_life_s} s is outside {low} to {high} s")
        _require_positive(path_nL, "a path")
        self.profile = profile
        self.seed = seed
        self.now_ms = 0
        self.motor = Motor(profile, seed)
        self.battery = Battery(profile)
        self.oscillator = Oscillator(profile, seed)
        self.csf = Csf(half_life_s, profile.csf_clearance_nL_per_h)
        self.csf_half_life_s = half_life_s
        self.tones: deque[tuple[int, str]] = deque(maxlen=_TONES_KEPT)
        self._history = History(0)
        self._csf_at_floor_fg = 0.0
        path = empty_path(path_nL, profile.path_tanks)
        self._epoch = Epoch(Contents(0, 0, ""), profile.residual_nL, path, 0, 0, 0.0, Ledger(initial_path_nL=path_nL))

    # ------------------------------------------------------------------------------------------------ actuators and sensors (the port)
    def drive(self, train: PulseTrain, until_ms: int) -> None:
        """Carry out `train` up to and including `until_ms`. Raises PlantError if time or the train would run backwards."""
        if train.start_ms > self.now_ms:
            raise PlantError(f"the train starts at {train.start_ms} ms, the plant's time is {self.now_ms} ms; drive or rest until then")
        self._run(train, train.count_at(self.now_ms), until_ms)

    def tone(self, name: str, at_ms: int) -> None:
        """Sound one tone pattern; the last 64 are kept in `tones`. Raises PlantError for an unknown name."""
        if name not in TONES:
            raise PlantError(f"{name!r} is no tone of this pump; known are {', '.join(TONES)}")
        self.tones.append((at_ms, name))

    def encoder_pulses(self) -> int:
        """Pulses the encoder has counted since manufacture: those the rotor really made, unless the encoder is at fault."""
        return self.motor.encoder.at(self.motor.made)

    def encoder_pulses_ahead(self, train: PulseTrain, until_ms: int) -> int:
        """What the encoder will show at `until_ms` if `train` runs until then and nobody touches the motor."""
        motor = self.motor
        pulses = 0 if motor.stalled else train.count_at(until_ms) - train.count_at(max(self.now_ms, train.start_ms))
        return motor.encoder.at(motor.made + pulses)

    def battery_permille(self) -> int:
        """State of charge now, 0 to 1000."""
        return self.battery.permille(self.now_ms, self.motor.commanded)

    def battery_permille_ahead(self, train: PulseTrain, until_ms: int) -> int:
        """State of charge at `until_ms` if `train` runs until then and the radio stays quiet."""
        pulses = train.count_at(until_ms) - train.count_at(max(self.now_ms, train.start_ms))
        return self.battery.permille(until_ms, self.motor.commanded + pulses)

    def flat_by(self, train: PulseTrain, until_ms: int) -> int | None:
        """First uptime from now up to `until_ms` at which the charge is 0 permille if `train` runs until then; None if it never is."""
        if self.battery_permille_ahead(train, until_ms) > 0:
            return None
        first_ms, last_ms = self.now_ms, until_ms
        while first_ms < last_ms:  # charge only falls
            middle_ms = (first_ms + last_ms) // 2
            if self.battery_permille_ahead(train, middle_ms) > 0:
                first_ms = middle_ms + 1
            else:
                last_ms = middle_ms
        return last_ms

    # ------------------------------------------------------------------------------------------------ the bench's hands
    def rest(self, until_ms: int) -> None:
        """Let time pass without a train: the firmware is off. Raises PlantError if time would run backwards."""
        self._run(None, 0, until_ms)

    def pulse_by_hand(self) -> None:
        """One pulse now, outside any train: the motor had been set going when the power failed. A stalled rotor does not move."""
        stretch = self._by_hand()
        self.motor.command(1)
        self._remember(stretch)

    def turn_by_hand(self) -> None:
        """One pulse now that nobody commanded: a drive at fault. A stalled rotor does not move."""
        stretch = self._by_hand()
        self.motor.turn()
        self._remember(stretch)

    def _by_hand(self) -> Stretch:
        motor = self.motor
        now_ms = self.now_ms
        return Stretch(self._epoch, None, now_ms, now_ms, motor.stalled, motor.encoder, 0, motor.commanded, motor.made, by_hand=True)

    @property
    def flow(self) -> Hydraulics:
        """How turns become flow; sound unless set otherwise."""
        return self._epoch.flow

    @flow.setter
    def flow(self, flow: Hydraulics) -> None:
        if flow != self._epoch.flow:
            self._epoch = replace(self._epoch_now(), flow=flow)

    def set_residual(self, residual_nL: int) -> None:
        """From now on so much stays in the reservoir whatever draws on it. Raises PlantError outside 0 to the capacity."""
        if not 0 <= residual_nL <= self.profile.capacity_nL:
            raise PlantError(f"a residual of {residual_nL} nL is impossible: 0 to {self.profile.capacity_nL}")
        self._epoch = replace(self._epoch_now(), residual_nL=residual_nL)

    def set_encoder_rate(self, rate_ppm: int) -> None:
        """From now on the encoder counts `rate_ppm` in a million pulses made, 0 to 2,000,000. Raises PlantError outside."""
        self.motor.encoder = self.motor.encoder.from_now(self.motor.made, rate_ppm)

    def lose(self, volume_nL: int) -> None:
        """So much leaves the reservoir for the tissue now, without a pulse. Raises PlantError if there is less."""
        epoch = self._epoch_now()
        if not 0 < volume_nL <= epoch.reservoir.volume_nL:
            raise PlantError(f"{volume_nL} nL cannot be lost: the reservoir holds {epoch.reservoir.volume_nL} nL")
        mass_fg, known = epoch.reservoir.mass_of_fg(volume_nL), epoch.ledger
        ledger = replace(known, lost_nL=known.lost_nL + volume_nL, lost_fg=known.lost_fg + mass_fg)
        self._epoch = replace(epoch, reservoir=epoch.reservoir.without(volume_nL), ledger=ledger)

    @property
    def stalled(self) -> bool:
        """The rotor sticks: commanded pulses move nothing, and the encoder does not count them."""
        return self.motor.stalled

    @stalled.setter
    def stalled(self, stalled: bool) -> None:
        self.motor.stalled = stalled

    def fill(self, volume_nL: int, concentration_ng_per_mL: int, drug: str = "baclofen", *, pocket_nL: int = 0) -> None:
        """Inject `volume_nL` now; `pocket_nL` of it misses the port and is lost in the tissue (pocket fill).

        Concentration 0 is drug-free fluid. Raises PlantError if it does not fit or an amount is not positive.
        """
        _require_positive(volume_nL, "a filling")
        if concentration_ng_per_mL < 0 or (concentration_ng_per_mL and not drug) or not 0 <= pocket_nL <= volume_nL:
            raise PlantError(f"a filling of {concentration_ng_per_mL} ng/mL of {drug!r} with {pocket_nL} nL beside the port is impossible")
        epoch = self._epoch_now()
        inside_nL = volume_nL - pocket_nL
        if epoch.reservoir.volume_nL + inside_nL > self.profile.capacity_nL:
            room = self.profile.capacity_nL - epoch.reservoir.volume_nL
            raise PlantError(f"{inside_nL} nL do not fit: the reservoir has room for {room} nL; aspirate first or fill less")
        ledger = replace(
            epoch.ledger,
            filled_nL=epoch.ledger.filled_nL + volume_nL,
            filled_fg=epoch.ledger.filled_fg + volume_nL * concentration_ng_per_mL,
            lost_nL=epoch.ledger.lost_nL + pocket_nL,
            lost_fg=epoch.ledger.lost_fg + pocket_nL * concentration_ng_per_mL,
        )
        self._epoch = replace(epoch, reservoir=epoch.reservoir.mixed_with(inside_nL, concentration_ng_per_mL, drug), ledger=ledger)

    def aspirate(self, volume_nL: int | Literal["all"] = "all") -> Withdrawal:
        """Draw `volume_nL`, or all that comes, out of the reservoir now; the residual stays. Raises PlantError if there is less."""
        epoch = self._epoch_now()
        there = max(0, epoch.reservoir.volume_nL - epoch.residual_nL)
        wanted = there if volume_nL == "all" else volume_nL
        if not 0 <= wanted <= there:
            raise PlantError(f"{wanted} nL cannot be aspirated: {there} nL come out of the reservoir, the residual stays")
        drawn = Withdrawal(wanted, epoch.reservoir.mass_of_fg(wanted))
        ledger = replace(
            epoch.ledger,
            aspirated_nL=epoch.ledger.aspirated_nL + wanted,
            aspirated_fg=epoch.ledger.aspirated_fg + drawn.mass_fg,
        )
        self._epoch = replace(epoch, reservoir=epoch.reservoir.without(wanted), ledger=ledger)
        return drawn

    def implant(self, path_volume_nL: int) -> None:
        """Connect a new path full of drug-free fluid now; the old path and what it held are lost. Raises PlantError below 1 nL."""
        _require_positive(path_volume_nL, "a path")
        epoch = self._epoch_now()
        ledger = replace(
            epoch.ledger,
            lost_nL=epoch.ledger.lost_nL + epoch.path.volume_nL,
            lost_fg=epoch.ledger.lost_fg + round(epoch.path.mass_fg),
            initial_path_nL=epoch.ledger.initial_path_nL + path_volume_nL,
        )
        self._epoch = replace(epoch, path=empty_path(path_volume_nL, self.profile.path_tanks), ledger=ledger)

    def radio(self, handshakes: int, records: int) -> None:
        """Link activity draws on the battery. Raises PlantError for negative counts."""
        self.battery.radio(handshakes, records)

    def set_battery(self, permille: int) -> None:
        """Make the charge exactly this now. Raises PlantError outside 0 to 1000."""
        self.battery.set_permille(permille, self.now_ms, self.motor.commanded)

    # ------------------------------------------------------------------------------------------------ the bench's eyes
    @property
    def history_floor_ms(self) -> int:
        """The first uptime that `truth`, `tip_mass_ng`, `csf_mass_ng` and `pulses` can answer."""
        return self._history.floor_ms

    def truth(self, at_ms: int | None = None) -> Truth:
        """The true state now, or at a kept moment of the past (after an event of that very ms). Raises HistoryGoneError, PlantError."""
        at_ms = self.now_ms if at_ms is None else at_ms
        epoch, commanded, made, stalled, encoder = self._state(at_ms)
        displaced = epoch.displaced_nL(self.motor.volume_nL(made), at_ms)
        entered = displaced - epoch.flow.lost_nL(displaced)
        inlet = epoch.inlet_fg_per_nL()
        reservoir = epoch.reservoir.without(displaced)
        return Truth(
            at_ms=at_ms,
            true_ms=self.oscillator.true_ms(at_ms),
            commanded_pulses=commanded,
            made_pulses=made,
            encoder_pulses=encoder.at(made),
            stalled=stalled,
            accuracy_ppm=self.motor.accuracy_ppm,
            drift_ppm=self.motor.drift_ppm(made),
            drug=reservoir.drug,
            reservoir_nL=reservoir.volume_nL,
            reservoir_fg=reservoir.mass_fg,
            reservoir_concentration_ng_per_mL=reservoir.concentration_ng_per_mL,
            path_nL=epoch.path.volume_nL,
            path_tanks_ng=tuple(tank / FG_PER_NG for tank in epoch.path.after(entered, inlet).tanks_fg),
            delivered_nL=epoch.delivered_nL + entered,
            tip_mass_ng=(epoch.tip_fg + epoch.path.outflow_fg(entered, inlet)) / FG_PER_NG,
            battery_permille=self.battery.permille(at_ms, commanded),
            ledger=epoch.ledger_after(displaced),
        )

    def tip_mass_ng(self, from_ms: int, to_ms: int) -> float:
        """Drug that left the catheter tip in (from_ms, to_ms]. Raises HistoryGoneError, PlantError."""
        self._check_span(from_ms, to_ms)
        return (self._tip_fg(to_ms) - self._tip_fg(from_ms)) / FG_PER_NG

    def csf_mass_ng(self, at_ms: int | None = None) -> float:
        """Drug in the CSF now or at a kept moment. Raises HistoryGoneError, PlantError."""
        return self._csf_fg(self.now_ms if at_ms is None else at_ms) / FG_PER_NG

    def csf_concentration_ng_per_mL(self, at_ms: int | None = None) -> float:
        """The same as a concentration."""
        return self.csf.concentration_ng_per_mL(self._csf_fg(self.now_ms if at_ms is None else at_ms))

    def pulses(self, from_ms: int, to_ms: int) -> Iterator[TruePulse]:
        """Each pulse the motor made in (from_ms, to_ms], in order. Raises HistoryGoneError, PlantError."""
        self._check_span(from_ms, to_ms)
        return self._pulses(from_ms, to_ms)

    # ------------------------------------------------------------------------------------------------ state file
    def snapshot(self) -> dict[str, object]:
        """Plain, JSON-able state: exact integers, floats as hex. The history and the kept tones are not in it."""
        return store.pack(self.profile, self.seed, self._saved())

    @classmethod
    def restore(cls, profile: PlantProfile, data: Mapping[str, object]) -> Plant:
        """The plant of a snapshot; totals and tanks go on bit for bit, moments before it can no longer be asked for.

        Raises SnapshotError if the data are damaged or of another profile.
        """
        seed, saved = store.unpack(profile, data)
        plant = cls(profile, seed, path_volume_nL=saved.epoch.path.volume_nL, csf_half_life_s=saved.csf_half_life_s)
        plant.now_ms = saved.now_ms
        plant.motor.commanded, plant.motor.made, plant.motor.stalled = saved.commanded, saved.made, saved.stalled
        plant.motor.unasked, plant.motor.encoder, plant.oscillator.rates = saved.unasked, saved.encoder, list(saved.rates)
        if plant.motor.volume_nL(saved.made) != saved.true_nL:
            raise SnapshotError("motor.true_nL", "the motor of this profile and seed would have moved another volume")
        plant.battery.events_e12 = saved.battery_events_e12
        plant._epoch = saved.epoch
        plant._history = History(saved.now_ms)
        plant._csf_at_floor_fg = saved.csf_fg
        return plant

    # ------------------------------------------------------------------------------------------------ private
    def _run(self, train: PulseTrain | None, offset: int, until_ms: int) -> None:
        if until_ms < self.now_ms:
            raise PlantError(f"time cannot run back from {self.now_ms} ms to {until_ms} ms")
        if until_ms == self.now_ms:
            return
        motor = self.motor
        stretch = Stretch(self._epoch, train, self.now_ms, until_ms, motor.stalled, motor.encoder, offset, motor.commanded, motor.made)
        motor.command(stretch.train_count(until_ms))
        self.now_ms = until_ms
        self._remember(stretch)

    def _remember(self, stretch: Stretch) -> None:
        self._history.add(stretch)
        floor_ms = self._history.next_floor_ms()
        if floor_ms is not None:
            self._csf_at_floor_fg = self._csf_fg(floor_ms)  # before what it is computed from is forgotten
            self._history.forget_older_half()

    def _epoch_now(self) -> Epoch:
        """The present state as the base of a new epoch."""
        epoch = self._epoch
        true_nL = self.motor.volume_nL(self.motor.made)
        displaced, entered = epoch.displaced_nL(true_nL, self.now_ms), epoch.entered_nL(true_nL, self.now_ms)
        inlet = epoch.inlet_fg_per_nL()
        return Epoch(
            reservoir=epoch.reservoir.without(displaced),
            residual_nL=epoch.residual_nL,
            path=epoch.path.after(entered, inlet),
            true_nL=true_nL,
            delivered_nL=epoch.delivered_nL + entered,
            tip_fg=epoch.tip_fg + epoch.path.outflow_fg(entered, inlet),
            ledger=epoch.ledger_after(displaced),
            at_ms=self.now_ms,
            flow=epoch.flow,
        )

    def _state(self, at_ms: int) -> tuple[Epoch, int, int, bool, Encoder]:
        """Epoch, pulses commanded, pulses made, stalled, encoder."""
        self._check_span(at_ms, at_ms)
        if at_ms == self.now_ms:
            motor = self.motor
            return self._epoch, motor.commanded, motor.made, motor.stalled, motor.encoder
        stretch = self._history.at(at_ms)
        return stretch.epoch, stretch.commanded_at(at_ms), stretch.made_at(at_ms), stretch.stalled, stretch.encoder

    def _tip_fg(self, at_ms: int) -> float:
        epoch, _, made, _, _ = self._state(at_ms)
        return epoch.tip_fg + epoch.path.outflow_fg(epoch.entered_nL(self.motor.volume_nL(made), at_ms), epoch.inlet_fg_per_nL())

    def _csf_fg(self, at_ms: int) -> float:
        self._check_span(at_ms, at_ms)
        floor_ms, from_ms = self._history.floor_ms, at_ms - self.csf.look_back_ms
        if from_ms <= floor_ms:
            return self.csf.amount_fg(self._tip_fg, floor_ms, at_ms, self._csf_at_floor_fg)
        return self.csf.amount_fg(self._tip_fg, from_ms, at_ms, 0.0)

    def _pulses(self, from_ms: int, to_ms: int) -> Iterator[TruePulse]:
        for stretch in self._history.between(from_ms, to_ms):
            for at_ms, number in stretch.made_pulses(from_ms, to_ms):
                before = stretch.epoch.displaced_nL(self.motor.volume_nL(number - 1), at_ms)
                yield TruePulse(at_ms, number, stretch.epoch.displaced_nL(self.motor.volume_nL(number), at_ms) - before)

    def _check_span(self, from_ms: int, to_ms: int) -> None:
        if not from_ms <= to_ms <= self.now_ms:
            raise PlantError(f"{from_ms} to {to_ms} ms is no span of the past; the plant's time is {self.now_ms} ms")
        if from_ms < self._history.floor_ms:
            raise HistoryGoneError(from_ms, self._history.floor_ms)

    def _saved(self) -> store.Saved:
        motor = self.motor
        return store.Saved(
            now_ms=self.now_ms,
            commanded=motor.commanded,
            made=motor.made,
            unasked=motor.unasked,
            stalled=motor.stalled,
            encoder=motor.encoder,
            rates=tuple(self.oscillator.rates),
            true_nL=motor.volume_nL(motor.made),
            battery_events_e12=self.battery.events_e12,
            csf_half_life_s=self.csf_half_life_s,
            csf_fg=self._csf_fg(self.now_ms),
            epoch=self._epoch,
        )


def _require_positive(volume_nL: int, what: str) -> None:
    if volume_nL < 1:
        raise PlantError(f"{what} of {volume_nL} nL is impossible; at least 1 nL")
