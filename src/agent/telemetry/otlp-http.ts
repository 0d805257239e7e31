import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { collect } from "../../base/bytes.ts";
import { type Call, TimeoutError, withTimeout } from "../../base/call.ts";
import type { Environment } from "../../base/environment.ts";
import { DewyError } from "../../base/errors.ts";
import { type HttpClient, openHttpClient } from "../../base/http-client.ts";
import { checkPartialSuccess, OtlpError, type OtlpSender } from "./otlp-sender.ts";
import type { OtlpTarget } from "./otlp-target.ts";

const maximumAnswerBytes = 64 * 1024;

export interface OtlpHttpOptions {
  userAgent: string;
  /** For `HTTPS_PROXY` and its like. */
  environment: Environment;
}

/** OTLP/HTTP with protobuf bodies: one POST each time. */
export async function openOtlpHttp(
  target: OtlpTarget,
  options: OtlpHttpOptions,
): Promise<OtlpSender> {
  const [{ create, fromBinary, toBinary }, { RequestSchema, ResponseSchema }] = await Promise.all([
    import("@bufbuild/protobuf"),
    import("./otlp-schema.ts"),
  ]);
  const { url, timeoutMs, secureContext } = target;
  const http = openHttpClient({ ...options, secureContext });

  return {
    async send(request, { signal }) {
      const bytes = toBinary(RequestSchema, create(RequestSchema, request));
      try {
        const body = await withTimeout(url.host, timeoutMs, { signal }, (limited) =>
          post(bytes, target, http, limited),
        );
        checkPartialSuccess(fromBinary(ResponseSchema, body).partialSuccess, url.host);
      } catch (error) {
        throw signal.aborted ? signal.reason : failure(error, target);
      }
    },
    close: () => http.close(),
  };
}

/** @returns the body of the answer */
async function post(
  bytes: Uint8Array,
  target: OtlpTarget,
  http: HttpClient,
  call: Call,
): Promise<Buffer> {
  const isGzip = target.compression === "gzip";
  const headers = {
    ...target.headers,
    "content-type": "application/x-protobuf",
    ...(isGzip && { "content-encoding": "gzip" }),
  };
  const body = isGzip ? await promisify(gzip)(bytes) : bytes;
  const { url } = target;
  const answer = await http.request(
    { method: "POST", url, redirect: "manual", headers, body },
    call,
  );
  if (answer.status === 200) return await collect(answer.body, maximumAnswerBytes);
  answer.discard();
  throw refusal(answer.status, target);
}

function refusal(status: number, { url }: OtlpTarget): OtlpError {
  const hint =
    status === 401 || status === 403
      ? "give its credentials by OTEL_EXPORTER_OTLP_HEADERS"
      : "check that --otlp-endpoint is where the collector takes OTLP/HTTP";
  return new OtlpError("REFUSED", `${placeIn(url)} did not take metrics: status ${status}`, {
    hint,
  });
}

function failure(cause: unknown, { url, timeoutMs }: OtlpTarget): unknown {
  if (cause instanceof OtlpError) return cause;
  if (cause instanceof TimeoutError) {
    return new OtlpError("TIMEOUT", `${placeIn(url)} did not answer within ${timeoutMs} ms`, {
      cause,
      hint: "check the collector, and the network between",
    });
  }
  if (!(cause instanceof DewyError)) {
    return new OtlpError("REFUSED", `${placeIn(url)} did not answer in OTLP`, {
      cause,
      hint: "check that --otlp-endpoint is where the collector takes OTLP/HTTP",
    });
  }
  return new OtlpError("UNREACHABLE", cause.message, { cause, hint: cause.hint });
}

/** Without the query, which may hold a token. */
const placeIn = (url: URL): string => url.origin + url.pathname;
