import type { IncomingMessage } from "node:http";
import type { Bytes } from "../../base/bytes.ts";
import type { Call } from "../../base/call.ts";
import type { Grant } from "../auth/authenticator.ts";
import type { Collections } from "../garbage/collections.ts";
import type { Scrubs } from "../garbage/scrubs.ts";
import type { ImageStore } from "../images/image-store.ts";
import type { LastPulls } from "../images/last-pulls.ts";
import type { TagHistory } from "../images/tag-history.ts";
import type { Quotas } from "../quotas/quotas.ts";
import { http2StreamOf } from "./http2-request.ts";

export type Headers = Record<string, string | number | readonly string[]>;

/** What a request is answered with. A `HEAD` gets the same, without the body. */
export interface Answer {
  status: number;
  headers: Headers;
  /** With a stream, `headers` must tell its length. */
  body?: string | Uint8Array | (() => Promise<Bytes>);
}

/** A request, as the resources see it. */
export interface Inquiry {
  /** Names the request in logs and notifications. */
  id: string;
  request: IncomingMessage;
  query: URLSearchParams;
  call: Call;
  /** What who asks may do: all that the request itself is for, at least. */
  grant: Grant;
  /** Writes a path of ours the way this client can reach it. */
  locate(path: string): string;
}

/** What the resources work on, and what they are allowed to. */
export interface ApiParts {
  store: ImageStore;
  history: Pick<TagHistory, "list">;
  pulls: LastPulls;
  collections: Collections;
  scrubs: Scrubs;
  quotas: Pick<Quotas, "states">;
  deletion: "allowed" | "refused";
  /** The most names one page of a listing holds. */
  maximumTags: number;
  maximumCatalogEntries: number;
}

/** What each method does to one resource. `HEAD` follows from `GET`. */
export type Methods = Partial<
  Record<"GET" | "POST" | "PUT" | "PATCH" | "DELETE", () => Promise<Answer>>
>;

/** The bytes a request brings. Leaving them unread does not cut the connection the answer needs. */
export function bodyOf(request: IncomingMessage): Bytes {
  return { [Symbol.asyncIterator]: () => request.iterator({ destroyOnReturn: false }) };
}

/** Whether the request brings any bytes at all (RFC 9112, section 6.3; RFC 9113, section 8.1). */
export function hasBody(request: IncomingMessage): boolean {
  const { headers } = request;
  const stream = http2StreamOf(request);
  if (stream !== undefined) return !stream.endAfterHeaders;
  if (headers["transfer-encoding"] !== undefined) return true;
  return Number(headers["content-length"] ?? 0) > 0;
}

export function jsonAnswer(status: number, document: unknown, headers: Headers = {}): Answer {
  const body = `${JSON.stringify(document)}\n`;
  return { status, headers: { "content-type": "application/json", ...headers }, body };
}

/** What clients show to people (distribution specification, "Warnings"). */
export function warningOf(text: string | undefined): Headers {
  return text === undefined ? {} : { warning: `299 - "${text}"` };
}

/** Whether `If-None-Match` says that the client has this already; also without the quotes. */
export function isKnownToClient({ headers }: IncomingMessage, entity: string): boolean {
  const known = headers["if-none-match"];
  if (known === undefined) return false;
  return known
    .split(",")
    .map((tag) =>
      tag
        .trim()
        .replace(/^W\//, "")
        .replace(/^"(.*)"$/, "$1"),
    )
    .some((tag) => tag === "*" || tag === entity);
}
