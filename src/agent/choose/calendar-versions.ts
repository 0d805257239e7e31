import { ConfigError } from "../../base/errors.ts";
import { suffixPattern, type Version, type Versioning, versionIn } from "../../base/version.ts";

interface Specifier {
  name: string;
  pattern: string;
  example: string;
}

/** In the order in which they are looked for, so that `YYYY` is not read as two `YY` (calver.org). */
const specifiers: readonly Specifier[] = [
  { name: "YYYY", pattern: "\\d{4}", example: "2026" },
  { name: "0Y", pattern: "\\d{2,3}", example: "26" },
  { name: "YY", pattern: "\\d{1,3}", example: "26" },
  { name: "0M", pattern: "0[1-9]|1[0-2]", example: "01" },
  { name: "MM", pattern: "1[0-2]|[1-9]", example: "1" },
  { name: "0W", pattern: "0[1-9]|[1-4]\\d|5[0-3]", example: "02" },
  { name: "WW", pattern: "[1-4]\\d|5[0-3]|[1-9]", example: "2" },
  { name: "0D", pattern: "0[1-9]|[12]\\d|3[01]", example: "09" },
  { name: "DD", pattern: "[12]\\d|3[01]|[1-9]", example: "9" },
  { name: "MICRO", pattern: "\\d+", example: "0" },
];
const known = specifiers.map(({ name }) => name);
const partPattern = new RegExp(`${known.join("|")}|[\\s\\S]`, "g");

/**
 * Reads tags by a format such as `YYYY.0M.MICRO`: what is no specifier stands for itself, a `v` may
 * come before it, and a pre-release and a slot after it, as with semantic versions. Numbers are
 * compared from left to right.
 *
 * @param origin for errors: where the format was given, such as `--calver`
 * @throws {ConfigError} when there is no specifier in it
 */
export function calendarVersions(format: string, origin: string): Versioning {
  const parts = (format.match(partPattern) ?? []).map(
    (text) => specifiers.find(({ name }) => name === text) ?? text,
  );
  if (parts.every((part) => typeof part === "string")) {
    throw new ConfigError(`${origin}: ${format || "(nothing)"} is not a calendar version format`, {
      hint: `write one such as YYYY.0M.MICRO, out of: ${known.join(", ")}`,
    });
  }
  const numbers = parts.map((part) =>
    typeof part === "string" ? literal(part) : `(${part.pattern})`,
  );
  const pattern = new RegExp(`^v?${numbers.join("")}${suffixPattern}$`);
  return {
    which: `of the form ${format}`,
    example: parts.map((part) => (typeof part === "string" ? part : part.example)).join(""),
    parse: (tag) => parseTag(tag, pattern, format),
  };
}

/**
 * An OCI tag has come with a `+` for its first `_`. Where the format has a `_` of its own, that one
 * was none, and the `+` of a slot is the last.
 */
function parseTag(tag: string, pattern: RegExp, format: string): Version | undefined {
  const version = versionIn(tag, pattern);
  if (version || !format.includes("_")) return version;
  const written = tag.replace("+", "_");
  const found =
    versionIn(written, pattern) ?? versionIn(written.replace(/_([^_]*)$/, "+$1"), pattern);
  return found && { ...found, tag };
}

const literal = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|/-]/, "\\$&");
