DROP TABLE IF EXISTS compliance_checks, compliance_schedule, opportunity_signals, contact_enrichment_queue,
    quote_outcomes, quote_activities, quotes, deal_stage_config, deal_stage_history, feedback_requests;

DO $$
DECLARE
    v_column text;
BEGIN
    IF to_regclass('public.fleet_core_additions') IS NULL THEN
        RETURN;
    END IF;
    FOREACH v_column IN ARRAY
        ARRAY['last_activity_at', 'stalled_at', 'auto_follow_up_enabled', 'next_follow_up_at', 'follow_up_count']
    LOOP
        IF EXISTS (SELECT FROM fleet_core_additions AS a WHERE a.table_name = 'deals' AND a.column_name = v_column) THEN
            EXECUTE format('ALTER TABLE IF EXISTS deals DROP COLUMN IF EXISTS %I', v_column);
        END IF;
    END LOOP;
    DELETE FROM fleet_core_additions AS a
    WHERE a.table_name = 'deals' AND a.column_name IN
        ('last_activity_at', 'stalled_at', 'auto_follow_up_enabled', 'next_follow_up_at', 'follow_up_count');
END
$$;
