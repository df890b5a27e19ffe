"""All facts in one place: importing this module registers every event type."""

from outrider_contracts import airflow, environments, lineage, tenants
from outrider_contracts.event import Event, event_type, event_types

__all__ = ["Event", "airflow", "environments", "event_type", "event_types", "lineage", "tenants"]
