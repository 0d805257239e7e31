import { expect, it } from "vitest";
import { FakeLogger } from "../../base/logger.fake.ts";
import { samplerFor } from "./sampler.ts";
import { openIds, traceContextIn, traceparentOf } from "./trace-context.ts";
import { tracedLogger } from "./traced-logger.ts";
import { openTracer, type Span } from "./tracer.ts";

const traceId = "0af7651916cd43dd8448eb211c80319c";
const spanId = "b7ad6b7169203331";

it.each([
  [`00-${traceId}-${spanId}-01`, true],
  [`00-${traceId}-${spanId}-00`, false],
  [`cc-${traceId}-${spanId}-03-what.comes`, true],
])("reads %s", (traceparent, isSampled) => {
  const context = traceContextIn({ traceparent, tracestate: "a=1" });

  expect(context).toEqual({ traceId, spanId, isSampled, state: "a=1" });
  if (context) expect(traceparentOf(context)).toBe(`00-${traceId}-${spanId}-0${isSampled ? 1 : 0}`);
});

it.each([
  undefined,
  "",
  `ff-${traceId}-${spanId}-01`,
  `00-${traceId}-${spanId}-01-more`,
  `00-${traceId.toUpperCase()}-${spanId}-01`,
  `00-${"0".repeat(32)}-${spanId}-01`,
  `00-${traceId}-${"0".repeat(16)}-01`,
  `00-${traceId}-01`,
])("ignores %s", (traceparent) => {
  expect(traceContextIn({ traceparent })).toBeUndefined();
});

it("samples about as many as the ratio says, and the same ones each time", () => {
  const sample = samplerFor("traceidratio", "0.25");
  const ids = Array.from({ length: 4_000 }, openIds().traceId);

  const chosen = ids.filter((id) => sample(id, undefined));

  expect(chosen.length).toBeGreaterThan(700);
  expect(chosen.length).toBeLessThan(1_300);
  expect(chosen.every((id) => sample(id, undefined))).toBe(true);
});

it("keeps parts together, also those that run side by side", async () => {
  const { tracer, spans } = tracing();
  const root = tracer.begin({ name: "root", kind: "server" });

  const part = (name: string) =>
    tracer.part(name, {}, async () => {
      await tracer.part(`${name} inside`, {}, () => new Promise(setImmediate));
    });
  await root.within(() => Promise.all([part("a"), part("b")]));
  root.end();

  const parentOf = (name: string) => {
    const id = spans.find((span) => span.name === name)?.parentId;
    return spans.find(({ context }) => context.spanId === id)?.name;
  };
  expect(["a", "b", "a inside", "b inside", "root"].map(parentOf)).toEqual([
    ...["root", "root", "a", "b", undefined],
  ]);
  expect(new Set(spans.map(({ context }) => context.traceId)).size).toBe(1);
});

it("says of a part that failed by which kind of error", async () => {
  const { tracer, spans } = tracing();
  const root = tracer.begin({ name: "root", kind: "server" });
  const failing = () =>
    tracer.part("part", {}, async () => {
      throw Object.assign(new Error("secret"), { code: "ENOSPC" });
    });

  await expect(root.within(failing)).rejects.toThrow("secret");

  expect(spans).toMatchObject([{ isFailed: true, attributes: { "error.type": "ENOSPC" } }]);
});

it("records no part of what is not recorded, and none outside of a request", async () => {
  const { tracer, spans } = tracing("always_off");
  const root = tracer.begin({ name: "root", kind: "server" });

  const result = await root.within(() => tracer.part("part", {}, async () => 1));
  await tracer.part("alone", {}, async () => 2);
  root.end();

  expect(result).toBe(1);
  expect(spans).toEqual([]);
});

it("puts the trace into log lines on behalf of a request, and into no others", () => {
  const { tracer } = tracing();
  const inner = new FakeLogger();
  const logger = tracedLogger(inner, tracer).with({ endpoint: "e" });
  const root = tracer.begin({ name: "root", kind: "server" });

  root.within(() => logger.warn("within", { a: 1 }));
  logger.warn("without");

  const { traceId: trace_id, spanId: span_id } = root.context;
  expect(inner.lines).toMatchObject([
    { message: "within", fields: { a: 1, trace_id, span_id } },
    { message: "without" },
  ]);
  expect(inner.lines[1]?.fields).not.toHaveProperty("trace_id");
});

function tracing(sampler = "always_on") {
  const spans: Span[] = [];
  const tracer = openTracer(samplerFor(sampler, ""), (span) => void spans.push(span));
  return { tracer, spans };
}
