-- What a simulation begins with: no other tenant is worked for, and nobody outside is asked, so that what waits for a look-up
-- waits to the end. No step is taken under a savepoint (see step_in_halves) unless the simulation had to begin again. Plans are
-- kept as long as the session, which begins with an empty outbox: none may read whole tables.
WITH others AS (
    SELECT stop_tenant(t.id, NULL, 'it is not simulated', %(by)s) FROM tenants AS t
    WHERE t.id <> ALL (%(tenants)s) AND NOT is_stopped(t.id, NULL)
), look_ups AS (
    UPDATE contact_enrichment_queue AS e SET retry_at = '9999-01-01 00:00:00+00'
    WHERE e.tenant_id = ANY (%(tenants)s) AND e.status = 'pending' AND e.source IN ('apollo', 'web_search')
      AND e.extracted_data IS NULL
)
SELECT set_config('fleet.simulated', 'yes', true), set_config('fleet.savepoints', %(savepoints)s, true),
       set_config('enable_seqscan', 'off', true), set_config('plan_cache_mode', 'force_generic_plan', true),
       (SELECT count(*) FROM others)
