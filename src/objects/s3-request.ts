import { Readable } from "node:stream";
import type { S3ClientConfig } from "@aws-sdk/client-s3";
import type { HttpClient } from "../base/http-client.ts";

type RequestHandler = NonNullable<S3ClientConfig["requestHandler"]>;

/** The part of the SDK's request that says where it goes; the path is escaped, the query is not. */
interface SdkRequest {
  method: string;
  protocol: string;
  hostname: string;
  port?: number;
  path: string;
  query?: Record<string, string | string[] | null>;
  headers: Record<string, string>;
}

/**
 * Sends the SDK's requests through our own client: its proxies, its certificate authorities, its
 * deadlines and its errors. For requests without a body, which is all that reading takes.
 */
export function s3RequestHandler(http: HttpClient): RequestHandler {
  return {
    metadata: { handlerProtocol: "http/1.1" },

    async handle(request: SdkRequest, { abortSignal }: { abortSignal?: AbortSignal } = {}) {
      const { method, headers } = request;
      const signal = abortSignal ?? new AbortController().signal;
      const sent = { method, url: urlOf(request), headers, redirect: "manual" } as const;
      const answer = await http.request(sent, { signal });
      const body = Readable.from(answer.body, { objectMode: false });
      return { response: { statusCode: answer.status, headers: answer.headers, body } };
    },

    updateHttpClientConfig() {},
    httpHandlerConfigs: () => ({}),
    destroy() {}, // the client is not ours to close
  } as RequestHandler;
}

function urlOf({ protocol, hostname, port, path, query = {} }: SdkRequest): string {
  const pairs = Object.entries(query).flatMap(([name, value]) =>
    [value ?? ""].flat().map((one) => `${encodeURIComponent(name)}=${encodeURIComponent(one)}`),
  );
  const search = pairs.length > 0 ? `?${pairs.join("&")}` : "";
  return `${protocol}//${hostname}${port === undefined ? "" : `:${port}`}${path}${search}`;
}
