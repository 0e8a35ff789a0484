"""The Celery application: queues, routes, and what happens on a clock.

Messages only wake workers: whose work something is stands in the database (a lease, an outbox row), so a message that
is lost, late or delivered twice changes nothing.
"""

from __future__ import annotations

import gc
import os
from typing import Any

from celery import Celery
from celery.signals import worker_init
from django.conf import settings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "codeservices.settings")

# Each needs a worker: short work; builds, which may take hours; upkeep, imports and mirrors, which may take as long;
# and notifications, which wait for servers of other people.
QUEUES = ("default", "builds", "maintenance", "notifications")

app = Celery("codeservices")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.update(
    task_default_queue="default",
    task_routes={
        "builds.tasks.run_build": {"queue": "builds"},
        "builds.tasks.collect_images": {"queue": "maintenance"},
        "codeservices.notifications.tasks.deliver": {"queue": "notifications"},
        "builds.tasks.remove_leftovers": {"queue": "maintenance"},
        "repos.tasks.keep_up": {"queue": "maintenance"},
        "repos.tasks.run_import": {"queue": "maintenance"},
        "repos.tasks.run_mirror": {"queue": "maintenance"},
        "repos.tasks.purge_deleted_repositories": {"queue": "maintenance"},
        "codeservices.objects.tasks.sweep": {"queue": "maintenance"},
    },
    task_ignore_result=True,
    task_acks_late=True,
    task_reject_on_worker_lost=False,
    worker_prefetch_multiplier=1,
    worker_hijack_root_logger=False,
    broker_connection_retry_on_startup=True,
    # Publishing must not hang a page while Redis is away; the sweeps below send what was not sent.
    broker_transport_options={"socket_timeout": 10, "socket_connect_timeout": 3, "visibility_timeout": 3600},
    task_publish_retry_policy={"max_retries": 2, "interval_start": 0, "interval_step": 0.2, "interval_max": 0.5},
    timezone="UTC",
    beat_schedule={
        "deliver-recorded-pushes": {"task": "repos.tasks.deliver_recorded_pushes", "schedule": 15.0},
        "run-due-trigger-deliveries": {"task": "repos.tasks.run_due_trigger_deliveries", "schedule": 15.0},
        "prune-trigger-deliveries": {"task": "repos.tasks.prune_trigger_deliveries", "schedule": 86400.0},
        "recover-begun-pushes": {"task": "repos.tasks.recover_pushes", "schedule": 60.0},
        "start-due-upkeep": {"task": "repos.tasks.start_due_upkeep", "schedule": 60.0},
        "sweep-remote-runs": {"task": "repos.tasks.sweep_remote_runs", "schedule": 15.0},
        "purge-deleted-repositories": {"task": "repos.tasks.purge_deleted_repositories", "schedule": 3600.0},
        "end-expired-leases": {"task": "builds.tasks.end_expired_leases", "schedule": 5.0},
        "drain-audit-spools": {"task": "codeservices.audit.tasks.drain_spools", "schedule": 30.0},
        "deliver-audit-trails": {
            "task": "codeservices.audit.tasks.deliver_trails",
            "schedule": float(settings.AUDIT_DELIVERY_SECONDS),
        },
        "prune-audit-events": {"task": "codeservices.audit.tasks.prune_events", "schedule": 86400.0},
        "remove-old-sign-in-rows": {"task": "codeservices.iam.tasks.remove_old_sign_in_rows", "schedule": 600.0},
        "send-due-notifications": {"task": "codeservices.notifications.tasks.send_due", "schedule": 5.0},
        "prune-notifications": {"task": "codeservices.notifications.tasks.prune", "schedule": 3600.0},
        "keep-build-network-closed": {"task": "builds.tasks.keep_network_closed", "schedule": 60.0},
        "purge-deleted-secrets": {"task": "codeservices.secretstore.tasks.purge_deleted_secrets", "schedule": 3600.0},
        "sweep-objects": {"task": "codeservices.objects.tasks.sweep", "schedule": 600.0},
        "collect-images": {"task": "builds.tasks.collect_images", "schedule": 3600.0},
        "requeue-builds": {"task": "builds.tasks.requeue_builds", "schedule": 15.0},
        "remove-build-leftovers": {"task": "builds.tasks.remove_leftovers", "schedule": 600.0},
        "remove-expired-credentials": {"task": "codeservices.iam.tasks.remove_expired_credentials", "schedule": 900.0},
    },
)
app.autodiscover_tasks()


@worker_init.connect
def keep_what_is_loaded(**_: Any) -> None:
    """What is loaded by now stays for good: no collection looks at it again, nor copies its memory after a fork."""
    gc.collect()
    gc.freeze()
