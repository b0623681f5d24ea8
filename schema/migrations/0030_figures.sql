-- Figures of Insight that took long to count, kept for whoever asks next. A closed table: console_figures.sql shows them.

CREATE TABLE insight_figures (
    tenant_id  uuid REFERENCES tenants (id) ON DELETE CASCADE,    -- NULL: of all tenants
    view       text NOT NULL,
    span       text NOT NULL,             -- the days until now, or from which day until which one
    asked_at   timestamptz NOT NULL,      -- when counting began
    counted_at timestamptz,               -- NULL: never yet
    figures    json,                      -- as the view's rows were
    UNIQUE NULLS NOT DISTINCT (tenant_id, view, span)
);
