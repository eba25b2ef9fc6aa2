"""What is told of an instance: the events, and the last failure of its app."""

from __future__ import annotations

from marathon_backend import Status
from marathon_bus import Bus
from marathon_clock import iso
from marathon_definition import Json
from marathon_instances import Instance

__all__ = ["News"]


class News:
    """``failures``: app -> its last task failure, as the API tells of it."""

    def __init__(self, bus: Bus) -> None:
        self.failures: dict[str, Json] = {}
        self._bus = bus

    def changed(self, instance: Instance) -> None:
        self._bus.publish(
            "instance_changed_event",
            instanceId=instance.id,
            condition=instance.condition,
            goal=instance.goal,
            runSpecId=instance.app.id,
            agentId=instance.agent_id,
            host=instance.host,
            runSpecVersion=iso(instance.app.version),
        )

    def status(self, instance: Instance, status: Status) -> None:
        self._bus.publish(
            "status_update_event",
            slaveId=instance.agent_id,
            taskId=instance.task_id,
            taskStatus=status.state,
            message=status.message,
            appId=instance.app.id,
            host=instance.host,
            ipAddresses=[],
            ports=instance.ports,
            version=iso(instance.app.version),
        )

    def failed(self, instance: Instance, status: Status, at: float) -> None:
        self.failures[instance.app.id] = {
            "appId": instance.app.id,
            "host": instance.host,
            "message": status.message,
            "slaveId": instance.agent_id,
            "state": status.state,
            "taskId": instance.task_id,
            "timestamp": iso(at),
            "version": iso(instance.app.version),
        }

    def health(self, instance: Instance, *, alive: bool) -> None:
        """It is another than before."""
        version = iso(instance.app.version)
        self._bus.publish(
            "instance_health_changed_event",
            instanceId=instance.id,
            runSpecId=instance.app.id,
            healthy=alive,
            runSpecVersion=version,
        )
        self._bus.publish(
            "health_status_changed_event",
            appId=instance.app.id,
            instanceId=instance.id,
            version=version,
            alive=alive,
        )

    def unhealthy(self, instance: Instance) -> None:
        """It is killed for that."""
        self._bus.publish(
            "unhealthy_instance_kill_event",
            appId=instance.app.id,
            taskId=instance.task_id,
            instanceId=instance.id,
            version=iso(instance.app.version),
            reason="failed too many health checks",
            host=instance.host,
            slaveId=instance.agent_id,
        )

    def unknown(self, status: Status, condition: str) -> None:
        """A task that nobody knows has ended."""
        instance = status.task_id.partition("._app.")[0]
        self._bus.publish("unknown_instance_terminated_event", instanceId=instance, condition=condition)
