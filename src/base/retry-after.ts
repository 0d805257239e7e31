/**
 * How long the server asked us to stay away (RFC 9110, 10.2.3: seconds or a date), in milliseconds
 * from `now`; `undefined` when it did not say.
 */
export function retryAfterMs(
  headers: Readonly<Record<string, string | undefined>>,
  now: Date,
): number | undefined {
  const text = headers["retry-after"]?.trim();
  if (text === undefined || text === "") return undefined;
  if (/^\d+$/.test(text)) return Number(text) * 1000;
  const at = Date.parse(text);
  return Number.isNaN(at) ? undefined : Math.max(0, at - now.getTime());
}
