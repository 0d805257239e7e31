import { type Bytes, BytesError, collect } from "../base/bytes.ts";
import type { Call } from "../base/call.ts";
import type { HttpAnswer } from "../base/http-client.ts";
import { type AuthorizerParts, openAuthorizer } from "./authorizer.ts";
import { OciError, type OciErrorCode } from "./error.ts";
import { refusal } from "./server-error.ts";

export interface OciRequest {
  method?: string;
  url: URL;
  /** What the token is to allow, such as `repository:acme/app:pull`. */
  scope: string;
  /** For errors: what could not be done, as in `cannot pull acme/app:v1.0.0`. */
  what: string;
  /** The code of a bare 404. */
  missing: OciErrorCode;
  /** The answers that are no error. */
  accept: readonly number[];
  headers?: Readonly<Record<string, string>>;
  /** How long the answer may take, where that is longer than usual. */
  responseMs?: number;
  /** Called again when the request has to be. */
  body?: () => Uint8Array | Bytes;
}

/** Sends requests to one registry, and signs in where it asks for it. */
export interface Connection {
  readonly host: string;
  /** `path` beneath `/v2/`. */
  urlOf(path: string): URL;
  /** @throws {OciError} for every answer that `accept` does not name */
  send(request: OciRequest, call: Call): Promise<HttpAnswer>;
}

export function openConnection(parts: AuthorizerParts & { basePath: string }): Connection {
  const { host, http, clock, plainHttp, basePath } = parts;
  const base = `${plainHttp ? "http" : "https"}://${host}${basePath}/v2/`;
  const { origin } = new URL(base);
  const authorizer = openAuthorizer(parts);

  return {
    host,
    urlOf: (path) => new URL(path, base),

    async send(request, call) {
      let answer = await sendOnce(request, authorizer.header(request.scope), call);
      const challenge = answer.headers["www-authenticate"];
      if (answer.status === 401 && challenge !== undefined && request.url.origin === origin) {
        const authorization = await authorizer
          .answer(challenge, request.scope, call)
          .catch((error) => {
            answer.discard();
            throw error;
          });
        if (authorization) {
          answer.discard();
          answer = await sendOnce(request, authorization, call);
        }
      }
      if (request.accept.includes(answer.status)) return answer;
      const { what, missing } = request;
      throw await refusal(answer, { host, what, missing, now: clock.now() });
    },
  };

  /** A registry may send an upload to another host; our credentials stay here. */
  function sendOnce(
    { method = "GET", url, headers, body, responseMs }: OciRequest,
    authorization: ReturnType<typeof authorizer.header>,
    call: Call,
  ): Promise<HttpAnswer> {
    const credential = url.origin === origin ? { authorization } : {};
    const timeouts = responseMs === undefined ? {} : { responseMs };
    return http.request(
      { method, url, headers: { ...headers, ...credential }, body: body?.(), timeouts },
      call,
    );
  }
}

/** What a token has to allow, in the words of the token specification. */
export const pullScope = (repository: string): string => `repository:${repository}:pull`;
export const pushScope = (repository: string): string => `repository:${repository}:pull,push`;

/** Reads an answer that is small, if it is what we asked for. @throws {OciError} `SIZE_INVALID` */
export async function collectFrom(answer: HttpAnswer, maximumBytes: number, host: string) {
  try {
    return await collect(answer.body, maximumBytes);
  } catch (error) {
    if (!(error instanceof BytesError)) throw error;
    throw new OciError("SIZE_INVALID", `${host} answers with ${error.message}`, {
      cause: error,
      hint: `check that ${host} is an OCI registry`,
    });
  }
}
