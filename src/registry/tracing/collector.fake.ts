import type { IncomingHttpHeaders } from "node:http";
import { gunzipSync } from "node:zlib";
import { BinaryReader } from "@bufbuild/protobuf/wire";
import { bodyOf, serve } from "../../base/local-server.fake.ts";

/** A span, as a collector has read it. */
export interface CollectedSpan {
  traceId: string;
  spanId: string;
  parentSpanId: string;
  traceState: string;
  name: string;
  kind: number;
  durationNanos: number;
  isFailed: boolean;
  attributes: Record<string, unknown>;
}

export interface FakeCollector {
  url: string;
  spans: CollectedSpan[];
  /** Of the last request, who sent it. */
  resource: Record<string, unknown>;
  headers: IncomingHttpHeaders[];
  /** The answers that come first. */
  replies: { status: number; headers?: Record<string, string> }[];
  named(name: string): CollectedSpan[];
}

/** Takes OTLP/HTTP in both of its encodings, on a real socket, for the length of one test. */
export async function serveFakeCollector(): Promise<FakeCollector> {
  const { url } = await serve(async (request, response) => {
    const body = await bodyOf(request);
    fake.headers.push(request.headers);
    const { status, headers = {} } = fake.replies.shift() ?? { status: 200 };
    if (status === 200) {
      const bytes = request.headers["content-encoding"] === "gzip" ? gunzipSync(body) : body;
      const isJson = request.headers["content-type"] === "application/json";
      const { resource, spans } = isJson ? inJson(String(bytes)) : inProtobuf(bytes);
      fake.resource = resource;
      fake.spans.push(...spans);
    }
    response.writeHead(status, headers).end();
  });
  const fake: FakeCollector = {
    url: url.origin,
    spans: [],
    resource: {},
    headers: [],
    replies: [],
    named: (name) => fake.spans.filter((span) => span.name === name),
  };
  return fake;
}

interface Collected {
  resource: Record<string, unknown>;
  spans: CollectedSpan[];
}

interface JsonAttribute {
  key: string;
  value: { stringValue?: string; intValue?: string; boolValue?: boolean; doubleValue?: number };
}

function inJson(text: string): Collected {
  const [sent] = JSON.parse(text).resourceSpans;
  const attributesOf = (attributes: JsonAttribute[]) =>
    Object.fromEntries(
      attributes.map(({ key, value }) => [
        key,
        value.stringValue ??
          value.boolValue ??
          value.doubleValue ??
          (value.intValue && Number(value.intValue)),
      ]),
    );
  // biome-ignore lint/suspicious/noExplicitAny: what it is, the test finds out
  const spans = sent.scopeSpans[0].spans.map((span: any) => ({
    ...{ parentSpanId: "", traceState: "" },
    ...span,
    durationNanos: Number(BigInt(span.endTimeUnixNano) - BigInt(span.startTimeUnixNano)),
    isFailed: span.status?.code === 2,
    attributes: attributesOf(span.attributes),
  }));
  return { resource: attributesOf(sent.resource.attributes), spans };
}

type Fields = Map<number, (Uint8Array | bigint)[]>;

/** Reads what is on the wire, with the numbers of opentelemetry-proto. */
function inProtobuf(bytes: Uint8Array): Collected {
  const resourceSpans = message(message(bytes), 1);
  const spans = messages(message(resourceSpans, 2), 2).map((span) => ({
    traceId: hex(span, 1),
    spanId: hex(span, 2),
    traceState: text(span, 3),
    parentSpanId: hex(span, 4),
    name: text(span, 5),
    kind: Number(span.get(6)?.[0]),
    durationNanos: Number((span.get(8)?.[0] as bigint) - (span.get(7)?.[0] as bigint)),
    isFailed: span.has(15) && message(span, 15).get(3)?.[0] === 2n,
    attributes: attributes(span, 9),
  }));
  return { resource: attributes(message(resourceSpans, 1), 1), spans };
}

function attributes(from: Fields, field: number): Record<string, unknown> {
  return Object.fromEntries(
    messages(from, field).map((pair) => {
      const value = message(pair, 2);
      return [text(pair, 1), value.has(1) ? text(value, 1) : Number(value.get(3)?.[0])];
    }),
  );
}

function message(from: Fields | Uint8Array, field?: number): Fields {
  const bytes = from instanceof Map ? from.get(field ?? 0)?.[0] : from;
  const reader = new BinaryReader(bytes as Uint8Array);
  const fields: Fields = new Map();
  while (reader.pos < reader.len) {
    const [number, type] = reader.tag();
    const value = [0, 1].includes(type)
      ? BigInt(type === 0 ? reader.int64() : reader.fixed64())
      : reader.bytes();
    fields.set(number, [...(fields.get(number) ?? []), value]);
  }
  return fields;
}

const messages = (from: Fields, field: number): Fields[] =>
  (from.get(field) ?? []).map((bytes) => message(bytes as Uint8Array));
const text = (from: Fields, field: number): string =>
  Buffer.from((from.get(field)?.[0] ?? "") as Uint8Array).toString();
const hex = (from: Fields, field: number): string =>
  Buffer.from((from.get(field)?.[0] ?? "") as Uint8Array).toString("hex");
