"""Who can be asked about a contact. Providers know HTTP and their own contract, no database and no broker."""
