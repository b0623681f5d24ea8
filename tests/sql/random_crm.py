"""Random CRMs: the tables a CRM may have, each column there or not, named, typed and constrained as somebody liked."""

from dataclasses import dataclass

from hypothesis import strategies as st

TEXTS = ("text", "varchar(80)", "char(20)", "mailbox", "stage_word", "jsonb", "integer")
INSTANTS = ("timestamptz", "timestamp", "date", "instant")
KINDS = {
    "uuid": ("uuid", "uuid", "uuid", "row_id", "bigint", "text"),
    "text": TEXTS,
    "instant": INSTANTS,
    "number": ("numeric", "integer", "double precision", "money", "text"),
    "flag": ("boolean", "boolean", "integer", "text"),
}
COLUMNS = {
    "tenants": {"id": "uuid", "name": "text", "created_at": "instant"},
    "profiles": {"id": "uuid", "tenant_id": "uuid", "email": "text", "role": "text"},
    "clients": {"id": "uuid", "tenant_id": "uuid", "company_name": "text", "owner_id": "uuid"},
    "contacts": {"id": "uuid", "tenant_id": "uuid", "client_id": "uuid", "email": "text", "is_primary": "flag"},
    "orders": {"id": "uuid", "tenant_id": "uuid", "status": "text", "delivered_at": "instant"},
    "deals": {"id": "uuid", "tenant_id": "uuid", "stage": "text", "value": "number", "updated_at": "instant",
              "last_activity_at": "instant", "stalls_at": "instant"},
    "cases": {"id": "uuid", "tenant_id": "uuid", "status": "text", "priority": "text"},
    "tasks": {"id": "uuid", "tenant_id": "uuid", "title": "text", "due_at": "instant"},
}  # fmt: skip
# What a CRM usually has; the others are there now and then.
RARE = {"last_activity_at", "stalls_at", "created_at"}
EXTRAS = (
    "CREATE TABLE quotes (id uuid PRIMARY KEY, amount numeric)",
    "CREATE VIEW deal_stage_velocity AS SELECT 1 AS n",
    "CREATE TABLE migration_history (id serial PRIMARY KEY, migration_name text)",
    "CREATE TABLE migration_history (id bigint, name text, checksum text, applied_at timestamptz)",
    "CREATE FUNCTION is_gone(text) RETURNS boolean LANGUAGE sql AS 'SELECT false'",
    "CREATE SCHEMA auth",
    "REVOKE USAGE ON SCHEMA public FROM PUBLIC",
    "CREATE TYPE vendors AS ENUM ('one')",
    "CREATE INDEX idx_deals_due ON deals (id)",
    "CREATE VIEW pipeline AS SELECT * FROM deals",
    "CREATE TRIGGER touch BEFORE INSERT OR UPDATE ON deals FOR EACH ROW EXECUTE FUNCTION touch()",
    "CREATE TRIGGER deal_stage_change BEFORE UPDATE ON deals FOR EACH ROW EXECUTE FUNCTION touch()",
    "CREATE TRIGGER touch BEFORE INSERT ON tasks FOR EACH ROW EXECUTE FUNCTION touch()",
    "ALTER TABLE tasks ADD board integer NOT NULL",
    "ALTER TABLE cases ADD queue text NOT NULL DEFAULT 'inbox'",
    "ALTER TABLE deals ENABLE ROW LEVEL SECURITY",
    "ALTER TABLE contacts ENABLE ROW LEVEL SECURITY; CREATE POLICY own ON contacts USING (true)",
    "GRANT SELECT ON deals TO service_role",
    "ALTER TABLE orders RENAME TO purchases; CREATE VIEW orders AS SELECT * FROM purchases",
    "ALTER TABLE deals RENAME stage TO phase",
    "ALTER TABLE deals SET UNLOGGED",
    "ALTER TABLE tasks ALTER title TYPE varchar(20)",
    "ALTER TABLE deals ADD follow_up_count bigint, ADD auto_follow_up_enabled boolean",
    "ALTER TABLE deals ADD next_follow_up_at timestamp, ADD stalled_at timestamptz",
    'ALTER TABLE contacts ADD "deletedAt" timestamptz',
    "CREATE FUNCTION crm_zone() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
    "CREATE FUNCTION crm_instant(timestamp) RETURNS integer LANGUAGE sql AS 'SELECT 1'",
    "CREATE RULE keep AS ON DELETE TO deals DO INSTEAD NOTHING",
    "CREATE TABLE base (note text); ALTER TABLE orders ADD note text; ALTER TABLE orders INHERIT base",
    "CREATE SCHEMA crm; CREATE VIEW crm.deals AS SELECT * FROM deals",
    "COMMENT ON TABLE deals IS 'the pipeline'; ALTER TABLE deals REPLICA IDENTITY FULL",
    "ALTER TABLE deals ALTER id SET STATISTICS 500; ALTER TABLE orders SET (fillfactor = 70)",
    "ALTER TABLE clients DROP CONSTRAINT IF EXISTS clients_pkey CASCADE",
)
PRELUDE = """
    CREATE DOMAIN mailbox AS varchar(320); CREATE DOMAIN row_id AS uuid; CREATE DOMAIN instant AS timestamptz;
    CREATE TYPE stage_word AS ENUM ('open', 'won', 'lost');
    CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
"""


@dataclass(frozen=True)
class RandomCrm:
    """Statements that make a CRM (one that the CRM itself would refuse is passed over), and FLEET_NAIVE_ZONE."""

    statements: tuple[str, ...]
    zone: str


@st.composite
def random_crms(draw: st.DrawFn) -> RandomCrm:
    """Draw a CRM: mostly as the fleet needs it, with a few things that are otherwise."""
    odd = draw(st.integers(0, 2))  # how many columns are not what one expects
    columns = [(table, column) for table, own in COLUMNS.items() for column in own]
    strange = set(draw(st.lists(st.sampled_from(columns), max_size=odd)))
    missing = set(draw(st.lists(st.sampled_from(sorted(COLUMNS)), max_size=2)))
    statements = [PRELUDE]
    for table, own in COLUMNS.items():
        if table in missing:
            continue
        parts = []
        for column, kind in own.items():
            if (table, column) in strange:
                if draw(st.booleans()):
                    continue
                type_ = draw(st.sampled_from(KINDS[kind]))
            elif column in RARE:
                continue
            else:
                type_ = KINDS[kind][0]
            rest = draw(st.sampled_from(("", "", " NOT NULL")))
            if column == "id":
                rest = " PRIMARY KEY" + (" DEFAULT gen_random_uuid()" if type_ in ("uuid", "row_id") else "")
            parts.append(f"{column} {type_}{rest}")
        statements.append(f"CREATE TABLE {table} ({', '.join(parts)})")
    statements += draw(st.lists(st.sampled_from(EXTRAS), max_size=2, unique=True))
    return RandomCrm(tuple(statements), draw(st.sampled_from(("", "UTC", "Asia/Kathmandu"))))
