"""What every engine's run needs exactly once: slots, the ledger, the round-robin over tenants, the tasks."""
