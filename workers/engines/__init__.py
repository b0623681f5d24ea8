"""The five engines: each claims, decides and settles one bounded batch of one tenant in one transaction."""
