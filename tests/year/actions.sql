-- The outbox without what another course has otherwise: numbers, also those in the letters, and how often each was tried.
SELECT a.engine, a.kind, a.template, a.variables, a.subject_type, a.subject_id, a.series, a.client_id, a.contact_id, a.assigned_to,
       a.status, a.reason, a.code, a.run_at, a.sent_at, a.sent_to, a.sent_subject, a.text_version, a.dedupe_key
FROM scheduled_actions AS a
