-- The trace context of the request that asked for a job (W3C Trace Context, `traceparent`). No row is rewritten.
ALTER TABLE "jobs" ADD COLUMN "traceparent" TEXT;
