import { type BaseLogger, type DestinationStream, destination, pino } from "pino";
import { DewyError, lineOf } from "./errors.ts";
import type { LogFields, Logger, LogLevel } from "./logger.ts";

export interface LoggerOptions {
  level: LogLevel;
  format: "text" | "json" | "logstash";
  /** In every line. */
  fields?: LogFields;
}

/**
 * Logs to standard error in the shape of Go's slog, which the original and its users' log
 * pipelines read: `time= level= msg= key=value`, or one JSON object with the same names.
 *
 * Writes are synchronous, so that the last line before a crash is not lost.
 */
export function openLogger(
  { level, format, fields }: LoggerOptions,
  output: DestinationStream = lossyOutput(2),
): Logger {
  const root = pino(
    { level, ...(format === "logstash" ? logstashShape : slogShape) },
    format === "text" ? { write: (line: string) => output.write(textOf(line)) } : output,
  );
  return loggerOn(fields ? root.child(plain(fields)) : root);
}

const maximumUnwrittenBytes = 1024 * 1024;

/**
 * Lines that the file behind `fd` does not take, as on a full disk, wait for the next one to be
 * written, up to a limit: nobody stops serving because a log cannot be written.
 */
export function lossyOutput(fd: number): DestinationStream {
  const output = destination({ fd, sync: true, maxLength: maximumUnwrittenBytes });
  output.on("error", () => {});
  return output;
}

const slogShape = {
  base: null,
  messageKey: "msg",
  timestamp: () => `,"time":"${new Date().toISOString()}"`,
  formatters: { level: (label: string) => ({ level: label.toUpperCase() }) },
};

/** As Distribution's `log.formatter: logstash` writes it. */
const logstashShape = {
  base: { "@version": "1" },
  messageKey: "message",
  timestamp: () => `,"@timestamp":"${new Date().toISOString()}"`,
  formatters: { level: (label: string) => ({ level: label }) },
};

type Sink = Pick<BaseLogger, LogLevel> & { child(fields: LogFields): Sink };

function loggerOn(sink: Sink): Logger {
  return {
    debug: (message, fields = {}) => sink.debug(plain(fields), message),
    info: (message, fields = {}) => sink.info(plain(fields), message),
    warn: (message, fields = {}) => sink.warn(plain(fields), message),
    error: (message, fields = {}) => sink.error(plain(fields), message),
    with: (fields) => loggerOn(sink.child(plain(fields))),
  };
}

/** Errors as the sentence they carry; a bug, which is not a `DewyError`, with its stack. */
function plain(fields: LogFields): LogFields {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [name, plainValue(value)]),
  );
}

function plainValue(value: unknown): unknown {
  if (value instanceof DewyError) return lineOf(value);
  if (value instanceof Error)
    return "code" in value ? value.message : (value.stack ?? value.message);
  if (value instanceof URL) return value.href;
  return value;
}

function textOf(line: string): string {
  const { time, level, msg, ...fields } = JSON.parse(line) as Record<string, unknown>;
  const pairs = Object.entries({ time, level, msg, ...fields });
  return `${pairs.map(([name, value]) => `${name}=${quoted(value)}`).join(" ")}\n`;
}

function quoted(value: unknown): string {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return /^[^\s"=\p{Cc}]+$/u.test(text) ? text : JSON.stringify(text);
}
