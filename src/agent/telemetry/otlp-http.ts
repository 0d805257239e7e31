import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { collect } from "../../base/bytes.ts";
import { type Call, TimeoutError, withTimeout } from "../../base/call.ts";
import type { Environment } from "../../base/environment.ts";
import { DewyError } from "../../base/errors.ts";
import { type HttpAnswer, openHttpClient } from "../../base/http-client.ts";
import type { OtlpRequest } from "./otlp-request.ts";
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
      try {
        await withTimeout(url.host, timeoutMs, { signal }, (limited) => post(request, limited));
      } catch (error) {
        throw signal.aborted ? signal.reason : failure(error, target);
      }
    },
    close: () => http.close(),
  };

  async function post(request: OtlpRequest, call: Call): Promise<void> {
    const bytes = toBinary(RequestSchema, create(RequestSchema, request));
    const isGzip = target.compression === "gzip";
    const answer = await http.request(
      {
        method: "POST",
        url,
        redirect: "manual",
        headers: {
          ...target.headers,
          "content-type": "application/x-protobuf",
          ...(isGzip && { "content-encoding": "gzip" }),
        },
        body: isGzip ? await promisify(gzip)(bytes) : bytes,
      },
      call,
    );
    if (answer.status !== 200) throw await refusal(answer, target);
    const body = await collect(answer.body, maximumAnswerBytes);
    checkPartialSuccess(fromBinary(ResponseSchema, body).partialSuccess, url.host);
  }
}

async function refusal(answer: HttpAnswer, { url }: OtlpTarget): Promise<OtlpError> {
  answer.discard();
  const { status } = answer;
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
