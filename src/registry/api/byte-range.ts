import { OciError } from "../../oci/error.ts";

/** The bytes a `Range` asks for: `to` is the byte before which it ends. */
export interface ByteRange {
  from: number;
  to: number;
}

/**
 * Reads `Range` (RFC 9110, section 14.2). `undefined` means the whole: also for several ranges at
 * once and for other units, which a server may ignore.
 */
export function parseRange(
  header: string | undefined,
  size: number,
): ByteRange | "unsatisfiable" | undefined {
  const [, first = "", last = ""] = /^bytes=(\d*)-(\d*)$/.exec(header?.trim() ?? "") ?? [];
  if (first === "" && last === "") return undefined;
  if (first === "") {
    const length = Math.min(Number(last), size);
    return length === 0 ? "unsatisfiable" : { from: size - length, to: size };
  }
  const from = Number(first);
  const to = last === "" ? size : Math.min(Number(last) + 1, size);
  return from < to ? { from, to } : "unsatisfiable";
}

/**
 * Reads the `Content-Range` of a chunk, which the distribution specification writes `0-99`; some
 * clients write it as RFC 9110 does, `bytes 0-99/*`.
 *
 * @throws {OciError} `RANGE_INVALID`, or `SIZE_INVALID` when it is not as long as the body.
 */
export function parseContentRange(
  header: string | undefined,
  contentLength: string | undefined,
): ByteRange | undefined {
  if (header === undefined) return undefined;
  const [, first, last] =
    /^(?:bytes[ =])?(\d{1,15})-(\d{1,15})(?:\/(?:\d+|\*))?$/.exec(header) ?? [];
  if (first === undefined || last === undefined) {
    throw new OciError("RANGE_INVALID", `not a range: ${header}`, {
      hint: "write Content-Range as first-last, such as 0-1048575",
    });
  }
  const range = { from: Number(first), to: Number(last) + 1 };
  if (contentLength !== undefined && range.to - range.from !== Number(contentLength)) {
    const why = `Content-Range is ${header}, but Content-Length is ${contentLength}`;
    throw new OciError("SIZE_INVALID", why);
  }
  return range;
}
