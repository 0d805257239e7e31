import { type Call, TimeoutError, withTimeout } from "../../base/call.ts";
import { systemCodeOf } from "../../base/errors.ts";
import { unreachable } from "../../base/http-error.ts";
import { OtlpError } from "../../base/otlp-post.ts";
import { concealed } from "../../base/secret.ts";
import { checkPartialSuccess, type OtlpSender } from "./otlp-sender.ts";
import type { OtlpTarget } from "./otlp-target.ts";

const maximumAnswerBytes = 64 * 1024;

/** OTLP/gRPC: one unary call of `MetricsService.Export` each time. */
export async function openOtlpGrpc(target: OtlpTarget): Promise<OtlpSender> {
  const [connect, node, { MetricsService }] = await Promise.all([
    import("@connectrpc/connect"),
    import("@connectrpc/connect-node"),
    import("./otlp-schema.ts"),
  ]);
  const { url, secureContext, headers, timeoutMs, compression } = target;
  const baseUrl = url.origin;
  const sessionManager = new node.Http2SessionManager(
    baseUrl,
    undefined,
    secureContext && { secureContext },
  );
  const transport = node.createGrpcTransport({
    ...{ baseUrl, sessionManager, readMaxBytes: maximumAnswerBytes },
    ...(compression === "gzip" && { sendCompression: node.compressionGzip }),
  });
  const client = connect.createClient(MetricsService, transport);
  const revealed = Object.entries(headers).map(([name, value]) => [name, value.reveal()] as const);

  return {
    async send(request, { signal }: Call) {
      try {
        const { partialSuccess } = await withTimeout(url.host, timeoutMs, { signal }, (limited) =>
          client.export(request, { ...limited, headers: Object.fromEntries(revealed) }),
        );
        checkPartialSuccess(partialSuccess, url.host);
      } catch (error) {
        // The other end of the connection may be gone without a word: the next call makes a new one.
        if (error instanceof TimeoutError) sessionManager.abort();
        throw signal.aborted ? signal.reason : failure(error, target, connect);
      }
    },
    close: () => sessionManager.abort(),
  };
}

function failure(
  error: unknown,
  { url, headers, timeoutMs }: OtlpTarget,
  { Code, ConnectError }: typeof import("@connectrpc/connect"),
): unknown {
  if (error instanceof TimeoutError) {
    return new OtlpError("TIMEOUT", `${url.host} did not take metrics within ${timeoutMs} ms`, {
      cause: error,
      hint: "check that the collector speaks OTLP/gRPC there, and with TLS or without",
    });
  }
  if (!(error instanceof ConnectError)) return error;
  if (systemCodeOf(error.cause) !== undefined) {
    const { message, hint } = unreachable(url.host, error.cause);
    return new OtlpError("UNREACHABLE", message, { cause: error.cause, hint });
  }
  const said = concealed(error.rawMessage, Object.values(headers)).slice(0, 500);
  const code = Code[error.code] ?? "Unknown";
  const isGone = error.code === Code.Unavailable;
  const message = `${url.host} did not take metrics (gRPC ${code}): ${said}`;
  const hint =
    error.code === Code.Unauthenticated || error.code === Code.PermissionDenied
      ? "give its credentials by OTEL_EXPORTER_OTLP_HEADERS"
      : "check --otlp-endpoint, and --otlp-insecure where the collector has no TLS";
  return new OtlpError(isGone ? "UNREACHABLE" : "REFUSED", message, { hint });
}
