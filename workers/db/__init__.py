"""The database: sessions, migrations, the catalogue check, and the embedded servers."""
