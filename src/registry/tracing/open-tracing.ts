import { areTracesAskedFor } from "./traces-asked-for.ts";
import type { Tracing, TracingParts } from "./tracing.ts";

/** As `openTracing`, which is not loaded unless the variables ask for traces. */
export async function openTracingFor(parts: TracingParts): Promise<Tracing | undefined> {
  if (!areTracesAskedFor(parts.environment)) return undefined;
  return await (await import("./tracing.ts")).openTracing(parts);
}
