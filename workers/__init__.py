"""The P1 automation fleet: five engines that never forget, for a multi-tenant CRM on PostgreSQL."""
