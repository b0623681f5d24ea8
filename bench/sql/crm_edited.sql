-- Some time later: everything was edited once since the fleet came, and pages have room for the next version of a row.
UPDATE deals SET owner_id = md5('owner' || title)::uuid;
UPDATE orders SET status = 'open';
VACUUM ANALYZE;
