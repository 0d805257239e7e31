import { AsyncLocalStorage } from "node:async_hooks";
import type { Sampler } from "./sampler.ts";
import { openIds, type TraceContext } from "./trace-context.ts";

export type Attributes = Readonly<Record<string, string | number | boolean | undefined>>;

/** A piece of work that is over. */
export interface Span {
  context: TraceContext;
  parentId: string | undefined;
  name: string;
  kind: "internal" | "server" | "client";
  startNanos: bigint;
  endNanos: bigint;
  attributes: Attributes;
  isFailed: boolean;
}

/** A piece of work under way. */
export interface OpenSpan {
  readonly context: TraceContext;
  /** What `work` begins becomes a part of this span. */
  within<Result>(work: () => Result): Result;
  end(end?: { name?: string; attributes?: Attributes; isFailed?: boolean }): void;
}

export interface SpanBeginning {
  name: string;
  kind: Span["kind"];
  attributes?: Attributes;
  /** Instead of the span that is under way here. */
  parent?: TraceContext | undefined;
}

export interface Tracer {
  /** What is under way here, if anything. */
  current(): TraceContext | undefined;
  begin(span: SpanBeginning): OpenSpan;
  /** Runs `work` in a span; outside of any recorded one it costs nothing, and makes none. */
  part<Result>(name: string, attributes: Attributes, work: () => Promise<Result>): Promise<Result>;
}

export function openTracer(sample: Sampler, ended: (span: Span) => void): Tracer {
  const contexts = new AsyncLocalStorage<TraceContext>();
  const ids = openIds();
  return { current: () => contexts.getStore(), begin, part };

  function begin({ name, kind, attributes = {}, ...given }: SpanBeginning): OpenSpan {
    const parent = given.parent ?? contexts.getStore();
    const traceId = parent?.traceId ?? ids.traceId();
    const isSampled = sample(traceId, parent);
    const context = { traceId, spanId: ids.spanId(), isSampled, state: parent?.state };
    const startNanos = nowNanos();
    return {
      context,
      within: (work) => contexts.run(context, work),
      end(end = {}) {
        if (!isSampled) return;
        ended({
          ...{ context, parentId: parent?.spanId, name: end.name ?? name, kind },
          ...{ startNanos, endNanos: nowNanos(), isFailed: end.isFailed ?? false },
          attributes: { ...attributes, ...end.attributes },
        });
      },
    };
  }

  async function part<Result>(
    name: string,
    attributes: Attributes,
    work: () => Promise<Result>,
  ): Promise<Result> {
    if (contexts.getStore()?.isSampled !== true) return await work();
    const span = begin({ name, kind: "internal", attributes });
    try {
      const result = await span.within(work);
      span.end();
      return result;
    } catch (error) {
      span.end({ attributes: { "error.type": errorTypeOf(error) }, isFailed: true });
      throw error;
    }
  }
}

/** The code of an error, or else its class: of few kinds, as an attribute has to be. */
export function errorTypeOf(error: unknown): string {
  if (!(error instanceof Error)) return "_OTHER";
  return "code" in error && typeof error.code === "string" ? error.code : error.name;
}

/** Of one clock that never goes back, so that no span ends before it began. */
function nowNanos(): bigint {
  return BigInt(Math.round((performance.timeOrigin + performance.now()) * 1000)) * 1000n;
}
