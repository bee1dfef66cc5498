/**
 * Tracing by OpenTelemetry, where the standard variables (OTEL_*) name somebody to export to: a span for each call, in the
 * trace of the request that it serves, and below it those of Prisma's own instrumentation.
 */
import { context, propagation, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import { detectResources, envDetector } from "@opentelemetry/resources";
import { AlwaysOffSampler, BatchSpanProcessor, NodeTracerProvider, ParentBasedSampler } from "@opentelemetry/sdk-trace-node";
import { PrismaInstrumentation, registerInstrumentations } from "@prisma/instrumentation";

/** In milliseconds: an exporter that nobody answers does not hold the process longer. */
const FLUSH_WITHIN = 2000;

const provider = new NodeTracerProvider({
  // What no request and no job asked for is no trace.
  sampler: new ParentBasedSampler({ root: new AlwaysOffSampler() }),
  resource: detectResources({ detectors: [envDetector] }),
  spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter())],
});
provider.register();
registerInstrumentations({ instrumentations: [new PrismaInstrumentation()], tracerProvider: provider });
const tracer = trace.getTracer("handover-engine");

/**
 * @param {{ op: string, model?: string, traceparent?: string }} request without a trace it leaves none
 * @param {() => Promise<any>} work @param {(result: any) => number | undefined} rows how many a result has
 */
export function traced({ op, model, traceparent }, work, rows) {
  if (traceparent === undefined) return work();
  const parent = propagation.extract(context.active(), { traceparent });
  const attributes = { "db.system.name": "postgresql", "db.operation.name": op, ...(model && { "db.collection.name": model }) };
  return tracer.startActiveSpan(model ? `${op} ${model}` : op, { kind: SpanKind.CLIENT, attributes }, parent, async (span) => {
    try {
      const result = await work();
      const returned = rows(result);
      if (returned !== undefined) span.setAttribute("db.response.returned_rows", returned);
      return result;
    } catch (error) {
      span.recordException(error);
      span.setStatus({ code: SpanStatusCode.ERROR, message: String(error.message) });
      throw error;
    } finally {
      span.end();
    }
  });
}

/** Returns when what is known has been exported. */
export function flush() {
  return Promise.race([provider.shutdown().catch(() => {}), new Promise((resolve) => setTimeout(resolve, FLUSH_WITHIN))]);
}
