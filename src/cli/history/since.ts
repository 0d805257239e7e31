import { ConfigError } from "../../base/errors.ts";
import { parseDuration } from "../../base/schema.ts";

const day = /^(\d{4})-(\d{2})-(\d{2})$/;
const moment = /^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?$/;

/**
 * The time that people mean by `24h` (ago), by a day of the local calendar, or by ISO 8601, which is
 * local where it names no zone.
 *
 * @throws {ConfigError} when it is none of them
 */
export function parseSince(text: string, now: Date): Date {
  const date = dateIn(text.trim(), now);
  if (date && !Number.isNaN(date.getTime())) return date;
  throw new ConfigError(`--since: ${text} is no time`, {
    hint: "write how long ago, such as 24h or 7d, or when, such as 2026-11-01 or 2026-11-01T08:30Z",
  });
}

function dateIn(text: string, now: Date): Date | undefined {
  const agoMs = parseDuration(text);
  if (agoMs !== undefined) return new Date(now.getTime() - agoMs);
  if (moment.test(text)) return new Date(text);
  const [year = 0, month = 0, date = 0] = (day.exec(text) ?? []).slice(1).map(Number);
  const start = new Date(year, month - 1, date);
  // A 31st of November would be the 1st of December.
  return start.getMonth() === month - 1 && start.getDate() === date ? start : undefined;
}
