import type { Environment } from "../base/environment.ts";
import { ConfigError } from "../base/errors.ts";

/**
 * Where another server than Amazon's is: `given` as `option` has it, else what the variables say
 * (AWS SDKs and Tools, "Service-specific endpoints").
 *
 * @throws {ConfigError} naming which of them is no URL, and not showing it
 */
export function s3EndpointIn(
  option: string,
  given: string | undefined,
  { AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL }: Environment,
): URL | undefined {
  const [what, text] =
    [
      [option, given] as const,
      ["AWS_ENDPOINT_URL_S3", AWS_ENDPOINT_URL_S3] as const,
      ["AWS_ENDPOINT_URL", AWS_ENDPOINT_URL] as const,
    ].find(([, value]) => value) ?? [];
  if (!text) return undefined;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isPlain = url && !url.username && !url.password && !url.search;
  if (url && isPlain && /^https?:$/.test(url.protocol)) return url;
  throw new ConfigError(`${what}: this is not an http or https URL without credentials in it`, {
    hint: "write it as https://host:port; credentials go into AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
  });
}
