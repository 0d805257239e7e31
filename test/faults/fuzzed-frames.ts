import fc from "fast-check";
import type { Fill } from "./fuzzed-registry.ts";
import { type FuzzedRequest, fuzzedRequests } from "./fuzzed-requests.ts";
import { cancel, field, flag, frame, head, kind, preface } from "./http2-frames.ts";

/** A request over HTTP/2, in frames of any sizes. */
interface FuzzedStream {
  request: FuzzedRequest;
  odd: readonly [name: string, value: string][];
  /** In how many frames the head comes, and the body. */
  heads: number;
  bodies: number;
  ends: "in time" | "late" | "never" | "by trailers" | "by a reset";
}

export interface FuzzedSession {
  streams: FuzzedStream[];
  /** Frames that are wrong, or senseless, and behind which stream each comes. */
  strange: { bytes: Buffer; at: number }[];
  /** Cuts the bytes off at this part of them. */
  cutAt: number | undefined;
  parts: number;
  pauseMs: number;
}

/** Less than a server takes of a connection before it has said that it takes more. */
const mostBodyBytes = 60_000;

const word = (value: number) => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value >>> 0);
  return bytes;
};
const streamId = fc.constantFrom(0, 1, 2, 3, 5, 7, 9, 101, 2 ** 31 - 1);
const payload = fc.uint8Array({ maxLength: 40 }).map((each) => Buffer.from(each));
const amount = fc.constantFrom(0, 1, 2, 100, 65_535, 65_536, 2 ** 30, 2 ** 31 - 1, 2 ** 31);

const oddField = fc.constantFrom<[string, string]>(
  ...([
    ["Upper", "case"],
    ["connection", "close"],
    ["transfer-encoding", "chunked"],
    ["te", "gzip"],
    ["host", "b"],
    ["", "nameless"],
    [":path", "/again"],
    [":unknown", "x"],
    ["x", "line\r\nbreak: y"],
    ["x", "\u0000"],
    ["content-length", "-1"],
    ["content-length", "7"],
    ["cookie", "a=b"],
    ["expect", "100-continue"],
    ["x", "y".repeat(40_000)],
  ] as [string, string][]),
);

const strangeFrame = fc.oneof(
  fc
    .tuple(fc.nat(255), fc.nat(255), streamId, payload)
    .map(([type, flags, id, bytes]) => frame(type, flags, id, bytes)),
  fc.tuple(streamId, amount).map(([id, by]) => frame(kind.window, 0, id, word(by))),
  fc
    .array(fc.tuple(fc.constantFrom(0, 1, 2, 3, 4, 5, 6, 8, 255), amount), { maxLength: 5 })
    .map((all) => all.map(([id, value]) => Buffer.concat([Buffer.of(0, id), word(value)])))
    .map((all) => frame(kind.settings, 0, 0, Buffer.concat(all))),
  fc.tuple(streamId, fc.nat(20)).map(([id, code]) => frame(kind.reset, 0, id, word(code))),
  fc.tuple(streamId, streamId).map(([id, on]) => {
    return frame(kind.priority, 0, id, Buffer.concat([word(on), Buffer.of(9)]));
  }),
  fc.tuple(streamId, payload).map(([id, bytes]) => frame(kind.data, flag.padded, id, bytes)),
  fc.tuple(streamId, payload).map(([id, bytes]) => frame(kind.continuation, 4, id, bytes)),
  fc.tuple(streamId, payload).map(([id, bytes]) => frame(kind.headers, 5, id, bytes)),
  fc.constantFrom(
    frame(kind.goAway, 0, 0, Buffer.alloc(8)),
    frame(kind.ping, 0, 0, Buffer.alloc(7)),
    frame(kind.settings, flag.acknowledged, 0, Buffer.alloc(6)),
    frame(kind.promise, flag.endHeaders, 1, Buffer.concat([word(2), head("GET", "/v2/")])),
    frame(kind.data, 0, 1, Buffer.alloc(20_000)),
    frame(kind.data, 0, 0, Buffer.alloc(10)),
    ...[Buffer.concat(Array.from({ length: 300 }, () => frame(kind.ping, 0, 0, word(0))))],
    Buffer.concat(Array.from({ length: 200 }, () => frame(kind.settings, 0, 0))),
    Buffer.concat(
      Array.from({ length: 200 }, (_, index) => {
        const asked = frame(kind.headers, 5, 2 * index + 1_001, head("GET", "/v2/a/tags/list"));
        return Buffer.concat([asked, frame(kind.reset, 0, 2 * index + 1_001, cancel)]);
      }),
    ),
    Buffer.concat([
      frame(kind.headers, 0, 2_001, head("GET", "/v2/")),
      ...Array.from({ length: 200 }, () =>
        frame(kind.continuation, 0, 2_001, field("x", "y".repeat(1_000))),
      ),
    ]),
  ),
);

const stream: fc.Arbitrary<FuzzedStream> = fc.record({
  request: fuzzedRequests,
  odd: fc.oneof(
    { weight: 5, arbitrary: fc.constant([]) },
    { weight: 1, arbitrary: fc.array(oddField, { maxLength: 2 }) },
  ),
  heads: fc.constantFrom(1, 1, 2, 5),
  bodies: fc.integer({ min: 1, max: 5 }),
  ends: fc.constantFrom(
    "in time",
    "in time",
    "in time",
    "late",
    "never",
    "by trailers",
    "by a reset",
  ),
});

export const fuzzedSessions: fc.Arbitrary<FuzzedSession[]> = fc.array(
  fc.record({
    streams: fc.array(stream, { minLength: 1, maxLength: 6 }),
    strange: fc.oneof(
      fc.constant<FuzzedSession["strange"]>([]),
      fc.array(fc.record({ bytes: strangeFrame, at: fc.nat(6) }), { minLength: 1, maxLength: 4 }),
    ),
    cutAt: fc.option(fc.double({ min: 0, max: 1, noNaN: true }), { nil: undefined, freq: 6 }),
    parts: fc.integer({ min: 1, max: 5 }),
    pauseMs: fc.constantFrom(0, 0, 0, 1, 10),
  }),
  { minLength: 1, maxLength: 8 },
);

/** The streams of a session that must be answered: all, unless something is wrong with the session. */
export function answerable({ streams, strange, cutAt }: FuzzedSession): number[] {
  if (strange.length > 0 || cutAt !== undefined) return [];
  return streams.flatMap(({ ends }, index) => (isWhole(ends) ? [2 * index + 1] : []));
}

function isWhole(ends: FuzzedStream["ends"]): boolean {
  return ends !== "never" && ends !== "by a reset";
}

/** The whole session as bytes: the preface, the streams, and what is strange between them. */
export function sessionAs({ streams, strange, cutAt }: FuzzedSession, fill: Fill): Buffer {
  let left = mostBodyBytes;
  const all = [preface, frame(kind.settings, 0, 0, Buffer.concat([Buffer.of(0, 1), word(0)]))];
  for (const [index, each] of streams.entries()) {
    const body = bodyOf(each.request, fill).subarray(0, left);
    left -= body.length;
    all.push(...streamAs(each, 2 * index + 1, body, fill));
    all.push(...strange.filter(({ at }) => at === index).map(({ bytes }) => bytes));
  }
  const bytes = Buffer.concat(all);
  return cutAt === undefined ? bytes : bytes.subarray(0, Math.floor(bytes.length * cutAt));
}

function bodyOf({ body }: FuzzedRequest, fill: Fill): Buffer {
  const isText = body.length < 20_000 && body.includes("{");
  return isText ? Buffer.from(fill(body.toString(), body)) : body;
}

function streamAs(
  { request, odd, heads, bodies, ends }: FuzzedStream,
  id: number,
  body: Buffer,
  fill: Fill,
): Buffer[] {
  const isBodiless = body.length === 0 && ends === "in time";
  const block = Buffer.concat([
    head(request.method, fill(request.target, body)),
    ...fieldsOf(request, body, fill),
    ...odd.map(([name, value]) => field(name, value)),
  ]);
  const frames = cut(block, heads).map((part, index, all) =>
    frame(
      index === 0 ? kind.headers : kind.continuation,
      (index === 0 && isBodiless ? flag.endStream : 0) |
        (index === all.length - 1 ? flag.endHeaders : 0),
      id,
      part,
    ),
  );
  if (isBodiless) return frames;
  const parts = cut(body, bodies);
  const isLast = (index: number) => index === parts.length - 1 && ends === "in time";
  const data = parts.map((part, index) =>
    frame(kind.data, isLast(index) ? flag.endStream : 0, id, part),
  );
  return [...frames, ...data, ...endOf(ends, id)];
}

function endOf(ends: FuzzedStream["ends"], id: number): Buffer[] {
  if (ends === "late") return [frame(kind.data, flag.endStream, id)];
  if (ends === "by a reset") return [frame(kind.reset, 0, id, cancel)];
  if (ends !== "by trailers") return [];
  return [frame(kind.headers, flag.endHeaders | flag.endStream, id, field("x-trailer", "y"))];
}

function fieldsOf({ headers, framing }: FuzzedRequest, body: Buffer, fill: Fill): Buffer[] {
  const length = { "too long": 1_000, "too short": -1, length: 0 }[framing as string];
  const all = headers.map((line) => fill(line, body));
  if (length !== undefined) all.push(`content-length: ${Math.max(0, body.length + length)}`);
  return all.map((line) => {
    const colon = line.indexOf(":");
    return field(line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim());
  });
}

/** In frames that the other side takes: none is longer than 16 KiB. */
function cut(bytes: Buffer, parts: number): Buffer[] {
  const size = Math.min(Math.ceil(bytes.length / parts) || 1, 16_384);
  const count = Math.max(1, Math.ceil(bytes.length / size));
  return Array.from({ length: count }, (_, at) => bytes.subarray(at * size, (at + 1) * size));
}
