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
  const { name, authority, tls, clock, deadlineMs = defaultDeadlineMs } = options;
  const [connect, { createGrpcTransport, Http2SessionManager }, { RegistryService }] =
    await Promise.all([
      import("@connectrpc/connect"),
      import("@connectrpc/connect-node"),
      import("./grpc-schema.ts"),
    ]);
  const { Code, ConnectError } = connect;
  const baseUrl = `${tls ? "https" : "http"}://${authority}`;
  const sessionManager = new Http2SessionManager(baseUrl, keepAlive, tls?.options);
  const transport = createGrpcTransport({
    baseUrl,
    sessionManager,
    readMaxBytes: maximumAnswerBytes,
  });
  const client = connect.createClient(RegistryService, transport);

  return {
    async current(request, call) {
      const { id, tag, artifactUrl, createdAt } = await asked(call, (limited) =>
        client.current(request, limited),
      );
      return { id, tag, artifactUrl, createdAt: createdAt && dateOf(createdAt) };
    },

    async report(request, call) {
      await asked(call, (limited) => client.report(request, limited));
    },

    close: () => sessionManager.abort(),
  };

  async function asked<Answer>(
    { signal }: Call,
    ask: (limited: Call & { timeoutMs: number }) => Promise<Answer>,
  ): Promise<Answer> {
    signal.throwIfAborted();
    try {
      return await withTimeout(name, deadlineMs, { signal }, (limited) =>
        again(() => ask({ ...limited, timeoutMs: deadlineMs })),
      );
    } catch (error) {
      throw signal.aborted ? signal.reason : translated(error);
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

  function translated(error: unknown): unknown {
    if (error instanceof TimeoutError) {
      sessionManager.abort(); // it may be a connection whose other end is gone: the next is a new one
      return grpcFailure({ name, code: "DeadlineExceeded", deadlineMs, cause: error }, clock.now());
    }
    if (!(error instanceof ConnectError)) return error;
    if (error.code === Code.DeadlineExceeded) sessionManager.abort();
    const { rawMessage: said, metadata } = error;
    const retryAfter = metadata.get("retry-after") ?? undefined;
    const code = Code[error.code] ?? "Unknown";
    const cause = error.cause ?? error;
    return grpcFailure({ name, code, said, retryAfter, deadlineMs, cause }, clock.now());
  }
}

/** `undefined` for what is no date in JavaScript. */
function dateOf({ seconds, nanos }: Timestamp): Date | undefined {
  const date = new Date(Number(seconds) * 1000 + Math.floor(nanos / 1e6));
  return Number.isNaN(date.getTime()) ? undefined : date;
}
