import type { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import type { OtlpBody } from "../../base/otlp-post.ts";
import type { Attributes, Span } from "./tracer.ts";

export interface SpanSource {
  /** Of the resource: who sends. */
  resource: Attributes;
  version: string;
}

/** Makes one request of spans, in the encoding of a collector. */
export type EncodeSpans = (spans: readonly Span[]) => OtlpBody;

/** The numbers of `opentelemetry.proto.trace.v1.Span.SpanKind`. */
const kinds = { internal: 1, server: 2, client: 3 } as const;
const errorStatus = 2;
const scopeName = "github.com/linyows/dewy/registry";

export function jsonEncoding({ resource, version }: SpanSource): EncodeSpans {
  return (spans) => {
    const scope = { name: scopeName, version };
    const scopeSpans = [{ scope, spans: spans.map(jsonSpan) }];
    const resourceSpans = [{ resource: { attributes: jsonAttributes(resource) }, scopeSpans }];
    return {
      bytes: Buffer.from(JSON.stringify({ resourceSpans })),
      contentType: "application/json",
    };
  };
}

function jsonSpan({ context, parentId, name, kind, ...span }: Span) {
  const { traceId, spanId, state } = context;
  return {
    ...{ traceId, spanId, name, kind: kinds[kind] },
    ...(parentId && { parentSpanId: parentId }),
    ...(state && { traceState: state }),
    startTimeUnixNano: String(span.startNanos),
    endTimeUnixNano: String(span.endNanos),
    attributes: jsonAttributes(span.attributes),
    ...(span.isFailed && { status: { code: errorStatus } }),
  };
}

function jsonAttributes(attributes: Attributes) {
  return entriesOf(attributes).map(([key, value]) => {
    if (typeof value === "string") return { key, value: { stringValue: value } };
    if (typeof value === "boolean") return { key, value: { boolValue: value } };
    return {
      key,
      value: Number.isInteger(value) ? { intValue: String(value) } : { doubleValue: value },
    };
  });
}

function entriesOf(attributes: Attributes): [string, string | number | boolean][] {
  return Object.entries(attributes).flatMap(([key, value]) =>
    value === undefined ? [] : [[key, value]],
  );
}

type Wire = { BinaryWriter: typeof BinaryWriter; WireType: typeof WireType };

/**
 * The same in protobuf. The numbers are the fields' of opentelemetry-proto 1: ExportTraceServiceRequest,
 * ResourceSpans, ScopeSpans and Span.
 */
export async function protobufEncoding({ resource, version }: SpanSource): Promise<EncodeSpans> {
  const wire = await import("@bufbuild/protobuf/wire");
  return (spans) => {
    const writer = openWriter(wire);
    writer.message(1, () => {
      writer.message(1, () => writer.attributes(1, resource));
      writer.message(2, () => {
        writer.message(1, () => {
          writer.text(1, scopeName);
          writer.text(2, version);
        });
        for (const span of spans) writer.message(2, () => writeSpan(span, writer));
      });
    });
    return { bytes: writer.finish(), contentType: "application/x-protobuf" };
  };
}

function writeSpan(span: Span, writer: ReturnType<typeof openWriter>): void {
  const { context, parentId } = span;
  writer.bytes(1, Buffer.from(context.traceId, "hex"));
  writer.bytes(2, Buffer.from(context.spanId, "hex"));
  if (context.state) writer.text(3, context.state);
  if (parentId) writer.bytes(4, Buffer.from(parentId, "hex"));
  writer.text(5, span.name);
  writer.number(6, kinds[span.kind]);
  writer.fixed(7, span.startNanos);
  writer.fixed(8, span.endNanos);
  writer.attributes(9, span.attributes);
  if (span.isFailed) writer.message(15, () => writer.number(3, errorStatus));
}

function openWriter({ BinaryWriter, WireType }: Wire) {
  const binary = new BinaryWriter();
  const delimited = (field: number) => binary.tag(field, WireType.LengthDelimited);
  const writer = {
    finish: () => binary.finish(),
    text: (field: number, value: string) => void delimited(field).string(value),
    bytes: (field: number, value: Uint8Array) => void delimited(field).bytes(value),
    number: (field: number, value: number) => void binary.tag(field, WireType.Varint).int64(value),
    fixed: (field: number, value: bigint) => void binary.tag(field, WireType.Bit64).fixed64(value),
    message(field: number, content: () => void) {
      delimited(field).fork();
      content();
      binary.join();
    },
    attributes(field: number, attributes: Attributes) {
      for (const [key, value] of entriesOf(attributes)) {
        writer.message(field, () => {
          writer.text(1, key);
          writer.message(2, () => writeValue(value));
        });
      }
    },
  };
  return writer;

  function writeValue(value: string | number | boolean): void {
    if (typeof value === "string") writer.text(1, value);
    else if (typeof value === "boolean") binary.tag(2, WireType.Varint).bool(value);
    else if (Number.isInteger(value)) writer.number(3, value);
    else binary.tag(4, WireType.Bit64).double(value);
  }
}
