-- The small CRM, with all of its moments in columns that name no zone, those of P1 among them; and words that are text.
ALTER TABLE deals ALTER stage DROP DEFAULT, ALTER stage TYPE text, ALTER created_at TYPE timestamp, ALTER updated_at TYPE timestamp(0);
CREATE DOMAIN moment AS timestamp;
ALTER TABLE deals ADD last_activity_at moment, ADD stalled_at timestamp, ADD next_follow_up_at timestamp;
ALTER TABLE orders ALTER status DROP DEFAULT, ALTER status TYPE text, ALTER delivered_at TYPE timestamp;
ALTER TABLE tasks ADD due_at timestamp, ADD created_at timestamp DEFAULT now();
