"""What is done to a fleet at work. Each fault is there while its block lasts, and is over when it ends."""

import random
from collections.abc import Callable
from contextlib import AbstractContextManager

from tests.chaos.faults import broker, database, mail, processes
from tests.chaos.world import World

Fault = Callable[[World, random.Random], AbstractContextManager[None]]

FAULTS: dict[str, Fault] = {
    fault.__name__.replace("_", " "): fault
    for fault in (
        processes.kill_a_process, processes.stop_a_process, processes.freeze_a_process, processes.machine_asleep,
        processes.no_beat, processes.two_beats, processes.a_clock_off, processes.clocks_jump,
        database.cut_database_connections, database.crash_the_database, database.restart_the_database,
        database.restart_the_database_at_once, database.freeze_the_database, database.read_only_database,
        database.full_disk, database.full_disk_of_the_journal, database.lock_a_hot_table,
        database.host_statement_timeout, database.exhausted_connections,
        broker.empty_broker, broker.restart_the_broker, broker.freeze_the_broker, broker.read_only_broker,
        broker.cut_broker_connections, broker.every_message_again,
        mail.mail_server_away, mail.mail_server_not_ready, mail.mail_server_hangs, mail.mail_server_lies,
    )
}  # fmt: skip
