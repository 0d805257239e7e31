import { createHmac } from "node:crypto";
import type { Secret } from "../../base/secret.ts";

/** As GitHub signs its webhooks ("Validating webhook deliveries"), so that receivers can check it. */
export function signatureHeaders(
  body: string,
  secret: Secret | undefined,
): { "x-hub-signature-256"?: string } {
  if (secret === undefined) return {};
  const digest = createHmac("sha256", secret.reveal()).update(body).digest("hex");
  return { "x-hub-signature-256": `sha256=${digest}` };
}
