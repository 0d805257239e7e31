import { randomFillSync } from "node:crypto";

/** What is passed on of a span, so that another program's spans become its children (W3C Trace Context). */
export interface TraceContext {
  /** 32 hexadecimal digits. */
  traceId: string;
  /** 16 hexadecimal digits. */
  spanId: string;
  isSampled: boolean;
  /** `tracestate`: what others keep in it, which is passed on as it came. */
  state: string | undefined;
}

const form = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;
const longestStateLength = 512;

/** Of what a request brings; `undefined` for none, or one that is to be ignored. */
export function traceContextIn(
  headers: Readonly<Record<string, string | string[] | undefined>>,
): TraceContext | undefined {
  const [, version, traceId = "", spanId = "", flags = "", more] =
    form.exec(String(headers.traceparent ?? "")) ?? [];
  if (version === undefined || version === "ff" || (version === "00" && more)) return undefined;
  if (/^0+$/.test(traceId) || /^0+$/.test(spanId)) return undefined;
  const text = String(headers.tracestate ?? "");
  const state = text === "" || text.length > longestStateLength ? undefined : text;
  return { traceId, spanId, isSampled: (Number.parseInt(flags, 16) & 1) === 1, state };
}

export function traceparentOf({ traceId, spanId, isSampled }: TraceContext): string {
  return `00-${traceId}-${spanId}-${isSampled ? "01" : "00"}`;
}

/** As headers of a request. */
export function traceHeaders(context: TraceContext): Record<string, string> {
  const { state } = context;
  return { traceparent: traceparentOf(context), ...(state && { tracestate: state }) };
}

/** Names for traces and spans. They are drawn many at a time, as a draw costs more than a span does. */
export function openIds(): { traceId(): string; spanId(): string } {
  const drawn = Buffer.alloc(8_192);
  let used = drawn.length;
  return { traceId: () => hex(16), spanId: () => hex(8) };

  function hex(bytes: number): string {
    if (used + bytes > drawn.length) {
      randomFillSync(drawn);
      used = 0;
    }
    used += bytes;
    return drawn.toString("hex", used - bytes, used);
  }
}
