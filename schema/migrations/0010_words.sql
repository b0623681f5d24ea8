-- The CRM's words: what a stage or a status means, however it is spelled. What CRMs ship is known to shipped_words.sql; a
-- tenant's own words stand beside it and win.

CREATE TABLE crm_words (
    tenant_id  uuid NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    kind       text NOT NULL,
    word       text NOT NULL CHECK (word <> ''),   -- folded, see folded_word
    meaning    text NOT NULL,
    decided_by text,
    decided_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, kind, word),
    CHECK (kind = 'deal_stage' AND meaning IN ('open', 'won', 'lost')
        OR kind = 'order_status' AND meaning IN ('open', 'delivered', 'cancelled', 'returned')
        OR kind = 'case_status' AND meaning IN ('open', 'closed'))
);

-- Whether a stage is one that every CRM counts as won or lost: such deals are in no index of the engine's work.
CREATE FUNCTION is_closed_stage(p_stage anyelement) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = public, pg_temp
AS $$
BEGIN
    RETURN coalesce(shipped_meaning('deal_stage', p_stage) IN ('won', 'lost'), false);
END
$$;

-- For everybody: PostgreSQL asks whoever writes a deal for the right to the functions of its indexes. They tell nothing.
GRANT EXECUTE ON FUNCTION folded_word(text), shipped_meaning(text, anyelement), is_closed_stage(anyelement) TO PUBLIC;
