import type { Environment } from "../../base/environment.ts";
import { openHttpClient } from "../../base/http-client.ts";
import { postOtlp } from "../../base/otlp-post.ts";
import { checkPartialSuccess, type OtlpSender } from "./otlp-sender.ts";
import type { OtlpTarget } from "./otlp-target.ts";

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
  const http = openHttpClient({ ...options, secureContext: target.secureContext });
  const place = { ...target, what: "metrics", option: "--otlp-endpoint" };

  return {
    async send(request, call) {
      const bytes = toBinary(RequestSchema, create(RequestSchema, request));
      const body = { bytes, contentType: "application/x-protobuf" } as const;
      await postOtlp(body, place, http, call, (answer) =>
        checkPartialSuccess(fromBinary(ResponseSchema, answer).partialSuccess, target.url.host),
      );
    },
    close: () => http.close(),
  };
}
