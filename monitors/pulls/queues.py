"""How many messages wait for a worker, as the broker tells: Redis, Valkey or RabbitMQ. None of them may hold us up."""

from __future__ import annotations

from celery import current_app

PATIENCE_S = 2


def lengths() -> dict[str, int] | None:
    """Waiting messages by queue, None where the broker does not answer. A queue that nobody declared yet is empty."""
    conf = current_app.conf
    names = sorted({conf.task_default_queue, *(route["queue"] for route in dict(conf.task_routes or {}).values())})
    patience = {"socket_connect_timeout": PATIENCE_S, "socket_timeout": PATIENCE_S}
    options = {**conf.broker_transport_options, **patience}
    found = {}
    try:
        with current_app.connection_for_read(connect_timeout=PATIENCE_S, transport_options=options) as connection:
            connection.ensure_connection(max_retries=1, timeout=PATIENCE_S)
            for name in names:
                channel = connection.channel()
                try:
                    found[name] = int(channel.queue_declare(name, passive=True).message_count)
                except connection.channel_errors:
                    found[name] = 0
    except Exception:  # whatever a broker's client raises, this is only a number on a page
        return None
    return found
