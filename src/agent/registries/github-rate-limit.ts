import type { HttpHeaders } from "../../base/http-client.ts";
import type { Observe } from "../event.ts";

/** Takes note of what an answer says about the rate limit. */
export type HeedRateLimit = (headers: HttpHeaders) => void;

/**
 * Tells `observe` of the limit whenever it is another (GitHub, "Rate limits for the REST API").
 * Answers that were not counted, and those of the object storage, change nothing.
 */
export function openRateLimit(observe: Observe | undefined): HeedRateLimit {
  let told = "";

  return (headers) => {
    const { "x-ratelimit-resource": resource = "core" } = headers;
    const [limit, remaining, reset] = ["limit", "remaining", "reset"].map((what) => {
      const value = headers[`x-ratelimit-${what}`] ?? "";
      return /^\d{1,12}$/.test(value) ? Number(value) : undefined;
    });
    if (limit === undefined || remaining === undefined || reset === undefined) return;
    const facts = [limit, remaining, reset].join(" ");
    if (resource !== "core" || facts === told) return;
    told = facts;
    const resetAt = new Date(reset * 1000);
    observe?.({ type: "rate limit told", limit, remaining, resetAt });
  };
}
