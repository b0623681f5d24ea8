"""The fleet's API: what a CRM, a script and a host's scheduler call."""
