import type { LogFields, Logger } from "../../base/logger.ts";
import type { Tracer } from "./tracer.ts";

/** `logger`, with `trace_id` and `span_id` in what is said on behalf of a request. */
export function tracedLogger(logger: Logger, tracer: Tracer): Logger {
  const known = (fields: LogFields | undefined): LogFields | undefined => {
    const context = tracer.current();
    if (context === undefined) return fields;
    return { ...fields, trace_id: context.traceId, span_id: context.spanId };
  };
  return {
    debug: (message, fields) => logger.debug(message, known(fields)),
    info: (message, fields) => logger.info(message, known(fields)),
    warn: (message, fields) => logger.warn(message, known(fields)),
    error: (message, fields) => logger.error(message, known(fields)),
    with: (fields) => tracedLogger(logger.with(fields), tracer),
  };
}
