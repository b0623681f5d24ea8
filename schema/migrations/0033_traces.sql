-- Where a run stands in the trace of whoever started it (W3C Trace Context), so that what it wrote is traced on from there.
ALTER TABLE engine_runs ADD COLUMN IF NOT EXISTS traceparent text;
