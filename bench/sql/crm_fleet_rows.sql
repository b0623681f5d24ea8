-- What the fleet has written by then: a quote and a signal for every contact.
SET session_replication_role = replica;
INSERT INTO quotes (tenant_id, client_id, contact_id, deal_id, quote_number, status, sent_at, next_follow_up_at)
SELECT d.tenant_id, d.client_id, d.contact_id, d.id, 'Q-' || d.title, 'sent', now(), now() + interval '3 days' FROM deals AS d;
INSERT INTO opportunity_signals (tenant_id, source_type, source_id, client_id, contact_id, signal_type, signal_strength)
SELECT c.tenant_id, 'email', c.id, c.client_id, c.id, 'renewal', 0.9 FROM contacts AS c;
SET session_replication_role = origin;
VACUUM ANALYZE;
