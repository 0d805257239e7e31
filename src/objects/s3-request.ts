import { Readable } from "node:stream";
import type { S3ClientConfig } from "@aws-sdk/client-s3";
import { type Bytes, limited } from "../base/bytes.ts";
import type { HttpAnswer, HttpClient } from "../base/http-client.ts";

type RequestHandler = NonNullable<S3ClientConfig["requestHandler"]>;

/** A thousand keys that are as long as they may be, with each byte escaped, are 4 MB. */
const maximumXmlBytes = 16 * 1024 * 1024;

/** The part of the SDK's request that says where it goes; the path is escaped, the query is not. */
interface SdkRequest {
  method: string;
  protocol: string;
  hostname: string;
  port?: number;
  path: string;
  query?: Record<string, string | string[] | null>;
  headers: Record<string, string>;
  body?: Uint8Array | string | Bytes;
}

/**
 * Sends the SDK's requests through our own client: its proxies, its certificate authorities, its
 * deadlines and its errors.
 */
export function s3RequestHandler(http: HttpClient): RequestHandler {
  return {
    metadata: { handlerProtocol: "http/1.1" },

    async handle(request: SdkRequest, { abortSignal }: { abortSignal?: AbortSignal } = {}) {
      const { method, headers, body: content } = request;
      const signal = abortSignal ?? new AbortController().signal;
      const url = urlOf(request);
      const sent = { method, url, headers, body: content, redirect: "manual" } as const;
      const answer = await http.request(sent, { signal });
      const body = Readable.from(
        isObject(request, answer) ? answer.body : limited(answer.body, maximumXmlBytes),
        { objectMode: false },
      );
      // A stream that nobody began to read has nothing to break off.
      body.on("close", () => body.readableEnded || answer.discard());
      return { response: { statusCode: answer.status, headers: answer.headers, body } };
    },

    updateHttpClientConfig() {},
    httpHandlerConfigs: () => ({}),
    destroy() {}, // the client is not ours to close
  } as RequestHandler;
}

/** A GET of a key that succeeded; the SDK holds whatever else it is answered as one text. */
function isObject({ method, query = {} }: SdkRequest, { status }: HttpAnswer): boolean {
  return method === "GET" && !("list-type" in query) && status >= 200 && status < 300;
}

function urlOf({ protocol, hostname, port, path, query = {} }: SdkRequest): string {
  const pairs = Object.entries(query).flatMap(([name, value]) =>
    [value ?? ""].flat().map((one) => `${encodeURIComponent(name)}=${encodeURIComponent(one)}`),
  );
  const search = pairs.length > 0 ? `?${pairs.join("&")}` : "";
  return `${protocol}//${hostname}${port === undefined ? "" : `:${port}`}${path}${search}`;
}
