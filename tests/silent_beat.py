"""Writes beat's memory as a beat leaves it that was stopped eight days ago: python -m tests.silent_beat."""

from datetime import timedelta

from celery.beat import PersistentScheduler

from workers.app import app

if __name__ == "__main__":
    scheduler = PersistentScheduler(app, schedule_filename=app.conf.beat_schedule_filename)
    for entry in scheduler.schedule.values():
        entry.last_run_at -= timedelta(days=8)
    scheduler.close()
