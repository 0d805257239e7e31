import type { IncomingMessage } from "node:http";
import { prometheusContentType } from "../../base/prometheus-text.ts";
import { isLoopbackHost } from "./loopback-host.ts";
import { type StatusAnswer, statusBody } from "./status.ts";

export interface AdminParts {
  status(): StatusAnswer;
  /** The body of `/api/containers`. @throws {DewyError} when the engine does not tell */
  containers(): Promise<object>;
  /** In the text format of Prometheus; without it there is no `/metrics`. */
  metrics?: (() => Promise<string>) | undefined;
}

export interface AdminAnswer {
  status: number;
  headers: Record<string, string>;
  body: string;
}

/** What `/metrics` is, in the text format of Prometheus. */

/** `GET` and `HEAD` of `/metrics`, `/api/status` and `/api/containers`, from this machine. */
export async function adminAnswer(
  { method = "", url = "", headers }: Pick<IncomingMessage, "method" | "url" | "headers">,
  { status, containers, metrics }: AdminParts,
): Promise<AdminAnswer> {
  if (!isLoopbackHost(headers.host)) return refusal(403, "ask for localhost or 127.0.0.1");
  if (method !== "GET" && method !== "HEAD") {
    return refusal(405, "only GET and HEAD are answered", { allow: "GET, HEAD" });
  }
  const path = url.replace(/\?.*$/s, "");
  if (path === "/api/status") return json(200, statusBody(status()));
  if (path === "/api/containers") return json(200, await containers());
  if (path === "/metrics" && metrics) {
    return {
      status: 200,
      headers: { "content-type": prometheusContentType },
      body: await metrics(),
    };
  }
  return refusal(404, "there is only /metrics, /api/status and /api/containers");
}

export const refusal = (
  status: number,
  error: string,
  headers: Record<string, string> = {},
): AdminAnswer => json(status, { error }, headers);

function json(status: number, value: object, headers: Record<string, string> = {}): AdminAnswer {
  return {
    status,
    headers: { ...headers, "content-type": "application/json" },
    body: `${JSON.stringify(value)}\n`,
  };
}
