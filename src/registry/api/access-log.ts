import type { IncomingMessage } from "node:http";
import type { LogFields } from "../../base/logger.ts";
import { openLogger } from "../../base/pino-logger.ts";
import type { TraceContext } from "../tracing/trace-context.ts";
import { shownTarget } from "./request-target.ts";
import type { Route } from "./routes.ts";

/** A request that is over. */
export interface AccessEntry {
  id: string;
  request: IncomingMessage;
  route: Route | undefined;
  at: Date;
  /** Empty when nobody says, as on a unix socket. */
  address: string;
  user: string | undefined;
  status: number;
  /** Of the body that was sent. */
  size: number;
  durationMs: number;
  contentType: string | undefined;
  /** Where requests are traced. */
  trace?: Pick<TraceContext, "traceId" | "spanId"> | undefined;
}

/** Has a line for each request. Writing never fails, and nobody waits for it. */
export interface AccessLog {
  write(entry: AccessEntry): void;
}

export interface AccessLogOptions {
  format: "text" | "json" | "logstash";
  /** In every line that has room for it. */
  fields: LogFields;
}

/**
 * Apache's combined format for `text`, as Distribution has it; otherwise one object a line, with the
 * names that Distribution's own log has for a request.
 */
export function openAccessLog(
  { format, fields }: AccessLogOptions,
  output: { write(line: string): void },
): AccessLog {
  if (format === "text") return { write: (entry) => output.write(combinedLine(entry)) };
  const logger = openLogger({ level: "info", format, fields }, output);
  return { write: (entry) => logger.info("response completed", fieldsOf(entry)) };
}

/** "Combined Log Format" of Apache's `mod_log_config`. */
export function combinedLine({ request, ...entry }: AccessEntry): string {
  const { referer, "user-agent": agent } = request.headers;
  const head = `${request.method} ${shownTarget(request)} HTTP/${request.httpVersion}`;
  const who = `${escaped(entry.address) || "-"} - ${escaped(entry.user).replaceAll(" ", "\\x20") || "-"}`;
  const what = `"${escaped(head)}" ${entry.status} ${entry.size}`;
  const from = `"${escaped(referer) || "-"}" "${escaped(agent) || "-"}"`;
  return `${who} [${stamp(entry.at)}] ${what} ${from}\n`;
}

function fieldsOf({ request, ...entry }: AccessEntry): LogFields {
  return {
    ...(entry.user === undefined ? {} : { "auth.user.name": entry.user }),
    "http.request.id": entry.id,
    "http.request.method": request.method,
    "http.request.uri": shownTarget(request),
    ...(request.headers.host === undefined ? {} : { "http.request.host": request.headers.host }),
    "http.request.remoteaddr": entry.address,
    "http.request.useragent": request.headers["user-agent"] ?? "",
    "http.response.status": entry.status,
    "http.response.written": entry.size,
    "http.response.duration": `${entry.durationMs}ms`,
    ...(entry.contentType === undefined ? {} : { "http.response.contenttype": entry.contentType }),
    ...variablesOf(entry.route),
    ...(entry.trace && { trace_id: entry.trace.traceId, span_id: entry.trace.spanId }),
  };
}

function variablesOf(route: Route | undefined): LogFields {
  if (route === undefined || !("repository" in route)) return {};
  const name = { "vars.name": route.repository };
  if (route.kind === "manifest") return { ...name, "vars.reference": route.reference };
  if (route.kind === "upload") return { ...name, "vars.uuid": route.id };
  return "digest" in route ? { ...name, "vars.digest": route.digest } : name;
}

/** As Apache does it: nothing that a client sends begins another line, or ends a quoted part. */
function escaped(text = ""): string {
  return text.replaceAll(
    /[\p{Cc}"\\]/gu,
    (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`,
  );
}

const months = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");

/** `21/Nov/2026:09:30:15 +0000` */
function stamp(at: Date): string {
  const [date = "", time = ""] = at.toISOString().split("T");
  const [year, month, day] = date.split("-");
  return `${day}/${months[Number(month) - 1]}/${year}:${time.slice(0, 8)} +0000`;
}
