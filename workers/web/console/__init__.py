"""The console: what the fleet did, does and leaves to people, for those who work with it and for its operator."""
