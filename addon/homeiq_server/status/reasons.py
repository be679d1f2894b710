"""Why the status is not ``ok``: one place for every cause, its sentence and its remedy."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Final

from .shape import DatabaseStatus, IngestStatus, Reason, SalvageStatus, SpoolStatus, StoreStatus

_MEBIBYTE: Final = 1024 * 1024
_SILENT_AFTER_S: Final = 3_600
_DAMAGE_IS_NEWS: Final = timedelta(days=7)

_REFUSALS: Final = {
    "stopping": "The server is stopping. Events wait in Home Assistant; nothing needs to be done.",
    "database_unknown": "Events wait in Home Assistant: {cause}. Check that it runs and that influx_url is right.",
    "spool_refuses": "Events wait in Home Assistant: {cause}. Look at the disk that data_dir is on; it may be full.",
}


def faults(refusals: Iterable[tuple[str, str]], spool: SpoolStatus) -> Iterator[Reason]:
    """Yield why events are not kept; ``refusals`` are pairs of code and cause."""
    is_full = spool.when_full == "refuse" and spool.fill >= 1
    for code, cause in refusals:
        if code != "spool_refuses" or not (is_full or spool.shortage):
            yield Reason(code, _REFUSALS[code].format(cause=cause))
    if spool.shortage:
        yield Reason(
            "disk_full",
            f"Events wait in Home Assistant: {spool.shortage}. Make room on the disk that data_dir is on.",
        )
    limit = f"{spool.limit_bytes // _MEBIBYTE} MiB"
    if is_full:
        yield Reason(
            "spool_full",
            f"The queue on disk is full ({limit}), so events wait in Home Assistant, which"
            " cannot keep them for long: bring the database back, or raise spool_limit_mb.",
        )
    if spool.dropping_since is not None:
        yield Reason(
            "spool_dropping",
            f"The queue on disk is full ({limit}), so its oldest lines are dropped since"
            f" {spool.dropping_since:%Y-%m-%d %H:%M} UTC: bring the database back, or raise spool_limit_mb.",
        )


_AT_THE_LIMIT: Final = {"refuse": "events wait in Home Assistant", "drop_oldest": "its oldest lines are dropped"}
_DATABASE_REASONS: Final = {
    "starting": "{database} is starting. {kept}; nothing needs to be done.",
    "unreachable": "{database} does not answer ({error}). {kept}: {remedy}.",
    "refusing": "{database} takes nothing at the moment ({error}). {kept}: see its log, it may lack disk or memory.",
    "misconfigured": "{database} refuses us ({error}). {kept}: {remedy}.",
}
_REMEDIES: Final = {
    "unreachable": "check that it runs and that influx_url is right",
    "misconfigured": "mend that there, which is noticed within a minute; or correct influx_token (InfluxDB 1:"
    " influx_username and influx_password), influx_org or influx_bucket, then start the app again",
}
_KEPT: Final = "What was accepted is on disk and will be written"


def warnings(
    database: DatabaseStatus, spool: SpoolStatus, *, now: datetime, silent_s: int, imbalances: Iterable[str]
) -> Iterator[Reason]:
    """Yield what goes wrong while events are still accepted.

    Args:
        database: How it is.
        spool: How full it is.
        now: The time.
        silent_s: For how long no source has sent anything.
        imbalances: A sentence for each law that does not hold.
    """
    yield from _of_database(database)
    if spool.filling and spool.fill < 1 and spool.dropping_since is None:
        yield Reason(
            "spool_filling",
            f"The queue on disk is {spool.fill:.0%} full of {spool.limit_bytes // _MEBIBYTE} MiB; when it is full,"
            f" {_AT_THE_LIMIT[spool.when_full]}: see to the database, or raise spool_limit_mb.",
        )
    if spool.salvage:
        yield from _of_salvage(spool.salvage, now)
    if silent_s >= _SILENT_AFTER_S:
        yield Reason(
            "no_events",
            f"No Home Assistant has sent anything for {silent_s // 60} minutes: check that it runs and that its HomeIQ"
            " integration is loaded.",
        )
    for imbalance in imbalances:
        yield Reason("counters_disagree", f"The counters do not add up, please report this: {imbalance}.")


_HISTORY_GOES_ON: Final = "History goes on; devices and findings cannot be asked for until it is there"
_STORE_REASONS: Final = {
    "starting": "{store} is starting. {goes_on}; nothing needs to be done.",
    "unreachable": "{store} cannot be used ({error}). {goes_on}: {remedy}. It is tried again all the time.",
    "misconfigured": "{store} cannot be used as it is set up ({error}). {goes_on}: {remedy}.",
}
_STORE_REMEDIES: Final = {
    "unreachable": "check that PostgreSQL runs and that the host in database_url is right",
    "misconfigured": "mend that there, which is noticed within a minute; or correct database_url, database_owner_url,"
    " database_ca_cert or database_verify_ssl, then start the app again",
}


_MQTT_REASONS: Final = {
    "connecting": "There is no connection to the MQTT broker at {broker}: {error}. It is tried again all the time:"
    " check that it runs and that mqtt_url is right.",
    "refused": "The MQTT broker at {broker} is of no use as it is set up: {error}. Correct mqtt_username and"
    " mqtt_password, or what the broker allows them.",
}


def of_store(store: StoreStatus) -> Iterator[Reason]:
    """Yield why there is nothing to be had of devices and findings; history does not depend on it."""
    if sentence := _STORE_REASONS.get(store.state):
        message = sentence.format(
            store="The app's own PostgreSQL" if store.embedded else "The PostgreSQL at database_url",
            error=store.error or "it gave no reason",
            goes_on=_HISTORY_GOES_ON,
            remedy="mend that, or see the app's log" if store.embedded else _STORE_REMEDIES.get(store.state, ""),
        )
        yield Reason(f"store_{store.state}", message)


def of_ingest(ingest: IngestStatus | None) -> Iterator[Reason]:
    """Yield why devices are not heard by MQTT; what the broker keeps for us comes later."""
    if ingest is None or ingest.mqtt.state not in _MQTT_REASONS:
        return
    mqtt = ingest.mqtt
    message = _MQTT_REASONS[mqtt.state].format(broker=mqtt.broker, error=mqtt.error)
    if mqtt.error:  # else it is only just starting
        yield Reason(f"mqtt_{mqtt.state}", message)


def _of_salvage(salvage: SalvageStatus, now: datetime) -> Iterator[Reason]:
    """Yield what came of a damaged file: while it is being read, and for a week when something is lost."""
    aside = f"The queue's file was damaged and set aside as {salvage.copy}"
    if salvage.running:
        yield Reason(
            "spool_salvaging",
            f"{aside}; what can be read of it is carried over, {salvage.found} lines so far. Nothing needs to be done.",
        )
    elif salvage.lost and (salvage.at is None or now - salvage.at < _DAMAGE_IS_NEWS):
        yield Reason(
            "spool_damaged",
            f"{aside}. {salvage.found} lines could be read, {salvage.lost} are lost, and stand as a gap: check the disk"
            " that data_dir is on.",
        )


def _of_database(database: DatabaseStatus) -> Iterator[Reason]:
    if sentence := _DATABASE_REASONS.get(database.state):
        message = sentence.format(
            database="The embedded database" if database.embedded else f"The database at {database.url}",
            error=database.error or "it gave no reason",
            kept=_KEPT,
            remedy="see the app's log" if database.embedded else _REMEDIES.get(database.state, ""),
        )
        yield Reason(f"database_{database.state}", message)
