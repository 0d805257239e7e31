import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { type Call, TimeoutError, withTimeout } from "../../base/call.ts";
import type { Clock } from "../../base/clock.ts";
import { messageOf } from "../../base/errors.ts";
import { grpcFailure } from "./grpc-failure.ts";
import type { GrpcTls } from "./grpc-tls.ts";

export interface GrpcClientOptions {
  /** For errors: the registry URL. */
  name: string;
  /** `host:port` */
  authority: string;
  /** Without it the connection is in plain text. */
  tls: GrpcTls | undefined;
  clock: Clock;
  deadlineMs?: number;
}

export interface Announcement {
  id: string;
  tag: string;
  artifactUrl: string;
  createdAt: Date | undefined;
}

/** `dewy.RegistryService`. Every method rejects with a `ReleaseRegistryError`, or the signal's reason. */
export interface GrpcClient {
  current(
    request: { arch: string; os: string; arifactName?: string },
    call: Call,
  ): Promise<Announcement>;
  report(
    request: { id: string; tag: string; command: string; err?: string },
    call: Call,
  ): Promise<void>;
  close(): void;
}

const defaultDeadlineMs = 10_000;
/** An answer is a few hundred bytes, and a signed URL is a few thousand. */
const maximumAnswerBytes = 64 * 1024;
/** Go's servers hang up on whoever asks for signs of life more often than they like. */
const keepAlive = { pingIntervalMs: 60_000, pingTimeoutMs: 4_000 };

/**
 * Speaks gRPC (HTTP/2, protobuf) to one server. Nothing is connected before the first call; a
 * connection that broke is made anew at the next.
 */
export async function openGrpcClient(options: GrpcClientOptions): Promise<GrpcClient> {
  const { authority, tls } = options;
  const [connect, { createGrpcTransport, Http2SessionManager }, { RegistryService }] =
    await Promise.all([
      import("@connectrpc/connect"),
      import("@connectrpc/connect-node"),
      import("./grpc-schema.ts"),
    ]);
  const baseUrl = `${tls ? "https" : "http"}://${authority}`;
  const sessionManager = new Http2SessionManager(baseUrl, keepAlive, tls?.options);
  const readMaxBytes = maximumAnswerBytes;
  const transport = createGrpcTransport({ baseUrl, sessionManager, readMaxBytes });
  const client = connect.createClient(RegistryService, transport);
  const asked = askWith(connect, options, () => sessionManager.abort());

  return {
    async current(request, call) {
      const answer = await asked(call, (limited) => client.current(request, limited));
      const { id, tag, artifactUrl, createdAt } = answer;
      return { id, tag, artifactUrl, createdAt: createdAt && dateOf(createdAt) };
    },

    async report(request, call) {
      await asked(call, (limited) => client.report(request, limited));
    },

    close: () => sessionManager.abort(),
  };
}

type Ask<Answer> = (limited: Call & { timeoutMs: number }) => Promise<Answer>;

/** Sends one call with its deadline, and says what became of it in the words of the port. */
function askWith(
  { Code, ConnectError }: typeof import("@connectrpc/connect"),
  { name, clock, deadlineMs = defaultDeadlineMs }: GrpcClientOptions,
  disconnect: () => void,
) {
  return async <Answer>({ signal }: Call, ask: Ask<Answer>): Promise<Answer> => {
    signal.throwIfAborted();
    try {
      return await withTimeout(name, deadlineMs, { signal }, ({ signal: limited }) =>
        again(() => ask({ signal: limited, timeoutMs: deadlineMs })),
      );
    } catch (error) {
      throw signal.aborted ? signal.reason : translated(error);
    }
  };

  function translated(error: unknown): unknown {
    const isOurs = error instanceof TimeoutError;
    if (!isOurs && !(error instanceof ConnectError)) return error;
    const code = isOurs ? "DeadlineExceeded" : (Code[error.code] ?? "Unknown");
    // The other end of the connection may be gone without a word: the next call makes a new one.
    if (code === "DeadlineExceeded") disconnect();
    const cause = error.cause ?? error;
    const retryAfter = isOurs ? undefined : (error.metadata.get("retry-after") ?? undefined);
    const said = isOurs ? "" : error.rawMessage;
    return grpcFailure({ name, code, said, retryAfter, deadlineMs, cause }, clock.now());
  }
}

/**
 * The server has gone, and the connection does not know yet: what was refused like this was never
 * looked at, so it may be sent again (RFC 9113, 8.7).
 */
async function again<Answer>(ask: () => Promise<Answer>): Promise<Answer> {
  try {
    return await ask();
  } catch (error) {
    if (!messageOf(error).includes("NGHTTP2_REFUSED_STREAM")) throw error;
    return await ask();
  }
}

/** `undefined` for what is no date in JavaScript. */
function dateOf({ seconds, nanos }: Timestamp): Date | undefined {
  const date = new Date(Number(seconds) * 1000 + Math.floor(nanos / 1e6));
  return Number.isNaN(date.getTime()) ? undefined : date;
}
