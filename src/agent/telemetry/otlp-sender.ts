import type { Call } from "../../base/call.ts";
import { OtlpError } from "../../base/otlp-post.ts";
import type { OtlpRequest } from "./otlp-request.ts";

/** Brings metrics to a collector. */
export interface OtlpSender {
  /** @throws {OtlpError}, or the reason of the signal */
  send(request: OtlpRequest, call: Call): Promise<void>;
  close(): void;
}

/** @throws {OtlpError} when the collector says that it dropped something */
export function checkPartialSuccess(
  partial: { rejectedDataPoints: bigint; errorMessage: string } | undefined,
  place: string,
): void {
  if (partial === undefined || partial.rejectedDataPoints === 0n) return;
  const { rejectedDataPoints, errorMessage } = partial;
  const message = `${place} rejected ${rejectedDataPoints} data points: ${errorMessage.slice(0, 500)}`;
  throw new OtlpError("REFUSED", message, { hint: "look into the collector's log" });
}
